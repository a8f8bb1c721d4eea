"use strict";
(() => {
  const data = JSON.parse(document.getElementById("rows-data").textContent);
  const PAGE = 25;
  const at = (id) => document.getElementById(id);
  const make = (tag, className, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const words = (row) =>
    [data.texts[row.q], row.id, ...row.docs.map((d) => data.texts[d[1]])].join("\n").toLowerCase();
  const rows = data.rows.map((row, place) => ({ ...row, place, words: null, best: margin(row) }));

  function margin(row) {
    const scores = (wanted) =>
      row.docs.filter((d) => d[0] === wanted && d[4] !== null).map((d) => d[4]);
    const positives = scores(1);
    const negatives = scores(0);
    if (!positives.length || !negatives.length) return null;
    return Math.min(...positives) - Math.max(...negatives);
  }

  function fill(select, values, every) {
    select.append(new Option(every, ""));
    for (const value of [...new Set(values)].sort()) select.append(new Option(value || "(none)", "=" + value));
  }
  fill(at("f-lang"), rows.map((r) => r.lang), "all languages");
  fill(at("f-task"), rows.map((r) => r.task), "all tasks");
  fill(at("f-split"), rows.map((r) => r.split), "all splits");
  fill(at("f-why"), data.reasons, "with or without a finding");
  let page = 0;
  let found = rows;

  function select() {
    const chosen = { lang: at("f-lang").value, task: at("f-task").value, split: at("f-split").value };
    const why = at("f-why").value;
    const least = parseFloat(at("f-low").value);
    const most = parseFloat(at("f-high").value);
    const wanted = at("f-text").value.trim().toLowerCase();
    found = rows.filter((row) => {
      for (const key of Object.keys(chosen)) {
        if (chosen[key] && "=" + row[key] !== chosen[key]) return false;
      }
      if (why && !row.why.some((place) => "=" + data.reasons[place] === why)) return false;
      if (!Number.isNaN(least) && (row.best === null || row.best < least)) return false;
      if (!Number.isNaN(most) && (row.best === null || row.best > most)) return false;
      if (!wanted) return true;
      row.words = row.words || words(row);
      return row.words.includes(wanted);
    });
    const missing = (value) => (value === null ? Infinity : value);
    if (at("f-sort").value === "margin") {
      found.sort((a, b) => missing(a.best) - missing(b.best) || a.place - b.place);
    } else {
      found.sort((a, b) => b.why.length - a.why.length || a.place - b.place);
    }
    page = 0;
    show();
  }

  function tags(parent, places) {
    for (const place of places) parent.append(make("span", "tag why", data.reasons[place]));
  }

  function documentOf(entry) {
    const [, text, id, language, score, rank, source, grade, why] = entry;
    const box = make("div", "doc");
    const facts = [id];
    if (language) facts.push(language);
    if (score !== null) facts.push("score " + score);
    if (rank !== null) facts.push(rank < 0 ? "random" : "rank " + rank);
    if (source) facts.push(source);
    if (grade !== null) facts.push("grade " + grade);
    box.append(make("div", "faint", facts.join(" · ")));
    tags(box, why);
    const body = make("p", "text", data.texts[text]);
    body.dir = "auto";
    box.append(body);
    return box;
  }

  function column(title, entries, empty) {
    const box = make("div");
    box.append(make("h3", "", title));
    if (!entries.length) box.append(make("p", "faint", empty));
    for (const entry of entries) box.append(documentOf(entry));
    return box;
  }

  function details(row) {
    const pair = make("div", "pair");
    const left = make("div");
    left.append(make("h3", "", "Query"));
    const query = make("p", "text", data.texts[row.q]);
    query.dir = "auto";
    left.append(query);
    const facts = {
      "query id": row.id, "instruction": row.ins, "task": row.task, "language": row.lang,
      "split": row.split, "group": row.group, "written by": row.gen, "positive before relabelling": row.was,
    };
    for (const [name, value] of Object.entries(facts)) {
      if (value) left.append(make("div", "faint", name + ": " + value));
    }
    pair.append(left);
    pair.append(column("Positives", row.docs.filter((d) => d[0] === 1), "none"));
    const negatives = column("Negatives", row.docs.filter((d) => d[0] === 0), "none");
    if (row.more) negatives.append(make("p", "faint", row.more + " more are not shown"));
    pair.append(negatives);
    return pair;
  }

  function entryOf(row) {
    const box = make("details", "row");
    const head = make("summary");
    const query = make("span", "text", data.texts[row.q]);
    query.dir = "auto";
    head.append(query, make("br"));
    for (const value of [row.lang, row.task, row.split]) if (value) head.append(make("span", "tag", value));
    if (row.best !== null) head.append(make("span", "tag", "margin " + row.best.toFixed(3)));
    tags(head, row.why);
    box.append(head);
    // A row's documents are built when it is opened: thousands of them at once would be slow.
    box.addEventListener("toggle", () => {
      if (box.open && box.children.length === 1) box.append(details(row));
    });
    return box;
  }

  function show() {
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    const list = at("rows-list");
    list.replaceChildren(...found.slice(page * PAGE, (page + 1) * PAGE).map(entryOf));
    at("rows-count").textContent = found.length.toLocaleString("en") + " of the " +
      rows.length.toLocaleString("en") + " rows on this page match; part " + (page + 1) + " of " + pages + ".";
    at("p-before").disabled = page === 0;
    at("p-after").disabled = page >= pages - 1;
  }

  for (const id of ["f-lang", "f-task", "f-split", "f-why", "f-sort"]) at(id).addEventListener("change", select);
  let waiting = 0;
  for (const id of ["f-text", "f-low", "f-high"]) {
    at(id).addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(select, 150); });
  }
  at("p-before").addEventListener("click", () => { page -= 1; show(); at("rows-count").focus(); });
  at("p-after").addEventListener("click", () => { page += 1; show(); at("rows-count").focus(); });
  for (const link of document.querySelectorAll("button[data-why]")) {
    link.addEventListener("click", () => {
      at("f-why").value = "=" + link.dataset.why;
      select();
      at("rows").scrollIntoView();
      at("rows-count").focus();
    });
  }
  at("browser").hidden = false;
  select();
})();
