// The publisher's page: what one does is sent to the ledger as the CloudEvents that a platform would send, and shown
// with what the ledger answered. Texts of comments stay in this browser, for the ledger keeps none.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const post = document.body.dataset.post;
  const postPath = "/v1/posts/" + encodeURIComponent(post);
  const defaultLevel = 13;

  // make returns an element with attributes and children; texts are never read as HTML.
  function make(name, attributes, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }

  // setText changes a text only where it is another one, so that what listens to changes hears no others.
  function setText(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  async function get(path) {
    const answer = await fetch(path, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(path + ": " + answer.status);
    return answer.json();
  }

  // What the browser keeps: who one is, one's level, and the texts of comments by their ids. Where it keeps nothing, the
  // page forgets.
  const kept = (() => {
    const key = "tweiledger-demo";
    let state = {};
    try { state = JSON.parse(localStorage.getItem(key)) || {}; } catch { state = {}; }
    if (typeof state.texts !== "object" || !state.texts) state.texts = {};
    return {
      state,
      save() { try { localStorage.setItem(key, JSON.stringify(state)); } catch { /* it is a demo */ } },
    };
  })();

  // ---- Who one is ----

  const who = $("who"), pseudonym = $("pseudonym"), level = $("level"), block = $("statement");
  const identifier = /^[A-Za-z0-9._~:@-]{1,128}$/;
  const levels = new Map(); // the level of each account's newest comment

  const validAccount = (name) => identifier.test(name) && ![".", "..", "treasury"].includes(name);

  // account returns who one is, "" where that is no account yet.
  function account() {
    if (who.value) return who.value;
    return validAccount(pseudonym.value) ? pseudonym.value : "";
  }

  // become makes one an account by its name.
  function become(name) {
    const listed = [...who.options].some((option) => option.value === name);
    who.value = listed ? name : "";
    if (!listed) pseudonym.value = name;
    changedWho();
  }

  function changedWho() {
    $("pseudonym-field").hidden = who.value !== "";
    const wrong = who.value === "" && pseudonym.value !== "" && !account();
    pseudonym.setAttribute("aria-invalid", String(wrong));
    const name = account();
    if (!name) return;
    kept.state.who = name;
    kept.save();
    block.setAttribute("account", name);
    showReports();
    if (reading.state === "reading" && reading.who !== name) stopReading();
  }

  function chooseLevel() {
    level.value = levels.get(account()) ?? defaultLevel;
    kept.state.level = level.value;
    kept.save();
  }

  who.addEventListener("change", () => {
    changedWho();
    chooseLevel();
    if (!who.value) pseudonym.focus();
  });
  pseudonym.addEventListener("input", changedWho);
  level.addEventListener("input", () => { kept.state.level = level.value; kept.save(); });
  $("you").addEventListener("submit", (event) => event.preventDefault());

  // actor returns who acts, or "" having said why nobody does.
  function actor() {
    const name = account();
    if (!name) {
      who.value = "";
      $("pseudonym-field").hidden = false;
      pseudonym.setAttribute("aria-invalid", "true");
      pseudonym.focus();
      say("Choose who you are first: 1 to 128 letters, digits, or . _ ~ : @ -");
    }
    return name;
  }

  // ---- Sending ----

  const randomID = () => [...crypto.getRandomValues(new Uint8Array(12))].map((b) => b.toString(16).padStart(2, "0")).join("");

  const cloudEvent = (type, data) => ({
    specversion: "1.0", type: "tweiledger." + type + ".v1", source: "/demo", id: randomID(),
    time: new Date().toISOString(), data,
  });

  // act sends an engagement and returns whether the ledger has it. says is what was done, in words.
  async function act(says, type, data) {
    const event = cloudEvent(type, data);
    const entry = newEntry(says, type, "POST /v1/events", event);
    return deliver(entry, event);
  }

  // deliver sends an event, again where need be, for it keeps its id: the ledger takes it once.
  async function deliver(entry, event) {
    entry.wait();
    let answer, body;
    try {
      answer = await fetch("/v1/events", {
        method: "POST", headers: { "Content-Type": "application/cloudevents+json" }, body: JSON.stringify(event),
      });
      body = await answer.json();
    } catch {
      body = { outcome: "failed", detail: answer ? "the answer could not be read" : "the ledger could not be reached" };
    }
    const outcome = outcomeOf(body, answer ? answer.status : 0);
    entry.answer(outcome, body, outcome === "failed" && (() => deliver(entry, event)));
    refreshComments();
    return outcome === "recorded" || outcome === "duplicate";
  }

  // outcomeOf says how it came out. A problem that is not about the engagement passes, or is a refusal.
  function outcomeOf(body, status) {
    if (body.outcome) return body.outcome;
    return status >= 500 || status === 429 ? "failed" : "rejected";
  }

  // ---- What was sent, what was answered ----

  const lineLabels = {
    earned_for_pluses: "Earned for Pluses", comment_rewards: "Comment Rewards", likes_own: "Likes Own",
    likes_commenter: "Likes Commenter", likes_author: "Likes Author", dislikes_author: "Dislikes Author",
    spent_for_minuses: "Spent for Minuses", comment_tributes: "Comment Tributes", dislikes_own: "Dislikes Own",
    dislikes_commenter: "Dislikes Commenter", post_publish_tribute: "Post Publish Tribute", pnl_reports: "PnL Reports",
    read_to_earn: "Read-to-Earn",
  };
  const reasons = {
    own_post: "it is one’s own post", self_reaction: "it is one’s own", already_rewarded: "this was rewarded before",
    too_short: "the read was shorter than the time to read", reversed: "an operator took this back before",
    already_reversed: "an operator took this back before", no_row: "the tariff pays nothing for it",
  };

  // postingWords says what a posting moves: "treasury → raphael: 0.5 Twei, Earned for Pluses".
  function postingWords(p) {
    const lines = [p.debit.line, p.credit.line].filter(Boolean).map((line) => lineLabels[line] || line);
    return (p.reversal ? "taken back: " : "") + p.debit.account + " → " + p.credit.account + ": " + p.amount + " Twei" +
      (lines.length ? ", " + [...new Set(lines)].join(" and ") : "");
  }

  // postingsOf returns an outcome's postings, what it took back first.
  const postingsOf = (body) => [...(body.also?.postings || []), ...(body.postings || [])];

  // words says in a sentence how it came out.
  function words(outcome, body) {
    switch (outcome) {
      case "recorded":
      case "duplicate": {
        const first = outcome === "recorded" ? "Recorded" : "The ledger had it already";
        if (body.reason) return first + ". It moved nothing: " + (reasons[body.reason] || body.reason) + ".";
        return postingsOf(body).length ? first + "." : first + ". It moved nothing.";
      }
      case "rejected":
        return "Rejected: " + (body.detail || body.title || "the ledger does not take it") + ".";
    }
    return "It failed: " + (body.detail || body.title || "the ledger is away") + ". Sending it again is safe.";
  }

  function say(text) { setText($("outcome"), text); }

  // newEntry adds an act to the panel and returns how to change it.
  function newEntry(says, type, route, sent) {
    const now = new Date();
    const result = make("div", { class: "answer" });
    const item = make("li", { "data-type": type, "data-id": sent.id || "" },
      make("h3", {}, says), make("p", { class: "route" }, make("code", {}, route), " ",
        make("time", { datetime: now.toISOString(), title: now.toISOString() }, now.toLocaleTimeString("en-GB"))),
      make("pre", {}, make("code", {}, JSON.stringify(sent, null, 2))), result);
    $("sent-empty").hidden = true;
    $("latest-link").hidden = false;
    $("acts").prepend(item);
    return {
      wait() {
        item.dataset.outcome = "waiting";
        result.replaceChildren(make("p", {}, "Waiting for the answer …"));
      },
      answer(outcome, body, again) {
        item.dataset.outcome = outcome;
        result.replaceChildren(...answerOf(outcome, body, again));
        const moved = postingsOf(body).map(postingWords).join("; ");
        say(says + ". " + words(outcome, body) + (moved ? " " + moved + "." : ""));
      },
    };
  }

  // answerOf returns what the panel shows of an answer.
  function answerOf(outcome, body, again) {
    const parts = [make("p", { class: "words" }, words(outcome, body))];
    const code = body.code || body.reason;
    if (code) parts[0].append(" ", make("code", {}, code));
    const postings = postingsOf(body);
    if (postings.length) parts.push(make("ul", { class: "postings" }, ...postings.map((p) => make("li", {}, postingWords(p)))));
    if (body.event_id) {
      parts.push(make("p", {}, make("a", { href: "/events/" + encodeURIComponent(body.event_id) }, "The event in the ledger")));
    }
    if (again) {
      const button = make("button", { type: "button", class: "again" }, "Send it again");
      button.addEventListener("click", again);
      parts.push(make("p", {}, button));
    }
    parts.push(make("details", {}, make("summary", {}, "The answer"),
      make("pre", {}, make("code", {}, JSON.stringify(body, null, 2)))));
    return parts;
  }

  // ---- Reading ----

  const reading = { state: "idle", who: "", seconds: 0, whole: 240, seen: 0, timer: 0 };
  const bar = $("bar"), clock = $("clock"), readButton = $("read");

  const minutes = (seconds) => Math.floor(seconds / 60) + ":" + String(Math.floor(seconds % 60)).padStart(2, "0");

  function showReading() {
    $("reading").dataset.state = reading.state;
    bar.value = Math.min(1, reading.seconds / reading.whole);
    const time = minutes(Math.min(reading.seconds, reading.whole)) + " of " + minutes(reading.whole);
    setText(clock, reading.state === "sent" ? "Sent: " + time : time);
    setText(readButton, { idle: "Start reading", reading: "Stop reading", sent: "Read again" }[reading.state]);
  }

  function startReading() {
    const name = actor();
    if (!name) return;
    Object.assign(reading, { state: "reading", who: name, seconds: 0, seen: performance.now() });
    reading.timer = setInterval(readOn, 100);
    showReading();
    say("Reading has begun.");
  }

  // readOn lets the time since it was last asked pass, ten times as fast by choice, and ends the read at its end.
  function readOn() {
    const now = performance.now();
    reading.seconds += (now - reading.seen) / 1000 * ($("fast").checked ? 10 : 1);
    reading.seen = now;
    if (reading.seconds >= reading.whole) stopReading();
    else showReading();
  }

  // stopReading sends the read as far as it went.
  function stopReading() {
    clearInterval(reading.timer);
    const seconds = Math.min(reading.whole, Math.floor(reading.seconds));
    reading.state = "sent";
    showReading();
    return act(reading.who + (seconds < reading.whole ? " stopped reading the article" : " read the article"), "post.read",
      { post_id: post, account_id: reading.who, seconds_read: seconds });
  }

  readButton.addEventListener("click", () => {
    if (reading.state !== "reading") return startReading();
    readOn();
    if (reading.state === "reading") stopReading();
  });

  // ---- Pluses and minuses ----

  const did = {
    "post.liked": " gave the article a plus", "post.disliked": " gave the article a minus",
    "reaction.withdrawn": " took a plus or minus back",
  };
  for (const button of $("verdict").querySelectorAll("button")) {
    button.addEventListener("click", () => {
      const name = actor();
      if (name) once($("verdict"), () => act(name + did[button.dataset.act], button.dataset.act, { post_id: post, account_id: name }));
    });
  }

  // once does something unless it is being done, and marks the element meanwhile.
  async function once(element, something) {
    if (element.dataset.state === "sending") return;
    element.dataset.state = "sending";
    try { return await something(); } finally { element.dataset.state = "sent"; }
  }

  // ---- Comments ----

  const list = $("comments"), form = $("comment");
  const texts = new Map(); // the sample's, by comment id
  const shown = new Map(); // elements, by comment id
  for (const item of list.querySelectorAll("[data-comment]")) {
    texts.set(item.dataset.comment, item.querySelector("p").textContent.replace(/\s+/g, " ").trim());
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const name = actor(), text = $("text").value.trim();
    if (!name) return;
    if (!text) {
      $("text").focus();
      return say("Write something first.");
    }
    if (!/^\d{1,9}$/.test(level.value)) {
      level.focus();
      return say("A level is a whole number.");
    }
    const id = "comment-" + randomID();
    kept.state.texts[id] = text;
    kept.save();
    const recorded = await once(form, () => act(name + " commented", "comment.added",
      { post_id: post, comment_id: id, account_id: name, level: Number(level.value) }));
    if (recorded && $("text").value.trim() === text) $("text").value = "";
  });

  // newComment returns the element of a comment, with its buttons.
  function newComment(c) {
    const when = new Date(c.occurred_at);
    const text = texts.get(c.comment_id) ?? kept.state.texts[c.comment_id];
    const item = make("li", { "data-comment": c.comment_id, "data-who": c.commenter },
      make("p", { class: "head" }, make("a", { href: "/accounts/" + encodeURIComponent(c.commenter) }, make("bdi", {}, c.commenter)),
        make("span", { class: "lvl" }, "LVL " + c.level),
        make("time", { datetime: c.occurred_at, title: when.toUTCString() },
          when.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" })),
        make("span", { class: "earned" })),
      make("p", { class: "text" + (text === undefined ? " elsewhere" : "") },
        text ?? "The words of this comment are in the browser in which it was written."));
    const buttons = make("p", { class: "buttons" });
    for (const [type, label, says] of [
      ["comment.liked", "Like", " liked a comment of "],
      ["comment.disliked", "Dislike", " disliked a comment of "],
      ["reaction.withdrawn", "Take back", " took a like or dislike back from a comment of "],
    ]) {
      const button = make("button", { type: "button", "data-act": type }, label,
        make("span", { class: "hidden" }, " the comment of " + c.commenter), make("span", { class: "count" }));
      button.addEventListener("click", () => {
        const name = actor();
        if (name) once(item, () => act(name + says + c.commenter, type, { comment_id: c.comment_id, account_id: name }));
      });
      buttons.append(button);
    }
    item.append(buttons);
    item.dataset.state = "idle";
    return item;
  }

  const signed = (amount) => amount === "0" ? "0" : amount.startsWith("-") ? "−" + amount.slice(1) : "+" + amount;

  function updateComment(item, c) {
    setText(item.querySelector(".earned"), "earned " + signed(c.earned) + " Twei");
    setText(item.querySelector('[data-act="comment.liked"] .count'), " " + c.likes);
    setText(item.querySelector('[data-act="comment.disliked"] .count'), " " + c.dislikes);
  }

  // readComments returns the first 100 comments, and whether there are more.
  async function readComments() {
    const comments = [];
    let next = "";
    do {
      const page = await get(postPath + "/comments?limit=100" + (next && "&cursor=" + encodeURIComponent(next)));
      comments.push(...page.comments);
      next = page.next || "";
    } while (next && comments.length < 100);
    return { comments, more: next !== "" };
  }

  // showComments changes what changed, so that nobody loses the focus on a button.
  function showComments({ comments, more }) {
    const standing = comments.filter((c) => !c.removed_at);
    const ids = new Set(standing.map((c) => c.comment_id));
    for (const item of [...list.children]) {
      if (!ids.has(item.dataset.comment) || shown.get(item.dataset.comment) !== item) item.remove();
    }
    for (const id of [...shown.keys()]) if (!ids.has(id)) shown.delete(id);
    for (const c of standing) {
      levels.set(c.commenter, c.level);
      let item = shown.get(c.comment_id);
      if (!item) shown.set(c.comment_id, item = newComment(c));
      if (!item.isConnected) list.append(item);
      updateComment(item, c);
    }
    setText($("comment-count"), standing.length + (more ? "+" : ""));
    $("comments-more").hidden = !more;
  }

  // refreshComments reads the comments; what is asked meanwhile is done once, afterwards.
  let refreshing = false, stale = false;
  async function refreshComments() {
    if (refreshing) { stale = true; return; }
    refreshing = true;
    try { showComments(await readComments()); } catch { /* what is shown stays, until the next message */ }
    refreshing = false;
    if (stale) { stale = false; refreshComments(); }
  }

  // ---- Reports, and what else the ledger tells ----

  // showReports lists the reports that whoever one is has bought of the article.
  async function showReports() {
    const name = account();
    let reports = [];
    try { reports = (await get("/v1/accounts/" + encodeURIComponent(name) + "/reports?limit=20")).reports; } catch { /* none yet */ }
    if (name !== account()) return;
    reports = reports.filter((report) => report.post_id === post).slice(0, 3);
    const owned = $("owned");
    owned.hidden = !reports.length;
    owned.replaceChildren("Newest reports of ", make("bdi", {}, name), ": ");
    reports.forEach((report, i) => owned.append(i ? ", " : "",
      make("a", { href: "/reports/" + encodeURIComponent(report.report_id) }, "as of " + report.size + " events")));
  }

  // The block tells what came of buying a report.
  document.addEventListener("tweiledger-bought", (event) => {
    const body = event.detail || {};
    const name = block.getAttribute("account");
    newEntry(name + " asked to buy a report", "report", "POST " + postPath + "/reports", { account_id: name })
      .answer(body.outcome || "rejected", body, null);
    showReports();
  });

  async function learnPost() {
    const { post: p } = await get(postPath);
    reading.whole = p.time_to_read_seconds || reading.whole;
    setText($("time-to-read"), "· " + (reading.whole % 60 ? minutes(reading.whole) : reading.whole / 60) + " min to read");
    if (reading.state === "idle") {
      bar.value = 0;
      setText(clock, "0:00 of " + minutes(reading.whole));
    }
  }

  async function learnTariff() {
    const now = new Date().toISOString();
    const inForce = (await get("/v1/tariffs")).tariffs.filter((t) => !t.effective_from || t.effective_from <= now)
      .reduce((best, t) => !best || t.version > best.version ? t : best, null);
    if (inForce) setText($("min-level"), " Available from level " + inForce.comment_min_level + ".");
  }

  async function learnReport() {
    const reader = document.body.dataset.reader;
    const { reports } = await get("/v1/accounts/" + encodeURIComponent(reader) + "/reports?limit=1");
    if (reports.length) $("report-link").href = "/reports/" + encodeURIComponent(reports[0].report_id);
  }

  function listen() {
    const stream = new EventSource("/v1/stream?post=" + encodeURIComponent(post));
    let timer = 0;
    stream.addEventListener("statement", () => {
      clearTimeout(timer);
      timer = setTimeout(refreshComments, 200);
    });
  }

  const asked = new URLSearchParams(location.search).get("as");
  const first = [asked, kept.state.who].find((name) => name && validAccount(name)) || who.value;
  if (kept.state.level && first === kept.state.who) level.value = kept.state.level;
  become(first);
  refreshComments().then(() => { if (!kept.state.level || first !== kept.state.who) chooseLevel(); });
  for (const learn of [learnPost, learnTariff, learnReport]) learn().catch(() => { /* the page does without */ });
  listen();
})();
