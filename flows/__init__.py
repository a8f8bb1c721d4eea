"""Orchestration: the only package that knows Prefect, the configuration file and the command line.

    cli        `pairmill ...`: arguments in, exit status out
    config     one YAML file -> one RunConfig; everything that cannot work is refused here
    build      the flow: it reads like the stage table in the README
    stages     one function per stage: paths and configuration in, a finished shard out
    resources  the engines, encoders and corpus that a process holds while it works
    publish    finished stages -> the published directory
    report     the table at the end
    serve      schedules on a Prefect server
    presets/   configurations to start from

Why stages pass folders and not tables: a task's arguments and results may be stored, shown and
retried by Prefect, and a shard on disk with its manifest is the only truth about what is finished.
"""

from flows.environment import quiet_third_parties

quiet_third_parties()
