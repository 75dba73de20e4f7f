// <tweiledger-statement post="…" account="…" server="…">: the profit and loss of a post as a block for any page. It
// builds nodes and adopts its style, so that it works under a policy that allows no inline style or script.
"use strict";
{
// STYLE is put in as it is served: tokens.css and embed.css.
const STYLE = "";
const sheet = new CSSStyleSheet();
sheet.replaceSync(STYLE);

// HOME is the ledger where no attribute names it: that of this script, be it a module or not.
const SCRIPT = document.currentScript || document.querySelector('script[src*="/embed.js"]');
const HOME = SCRIPT ? new URL("./", SCRIPT.src).href : "/";

const SIDES = [
  ["profit", "Post Profit", "Profit Subtotal, Twei", {
    earned_for_pluses: "Earned for Pluses", comment_rewards: "Comment Rewards", likes_own: "Likes Own",
    likes_commenter: "Likes Commenter", likes_author: "Likes Author", dislikes_author: "Dislikes Author",
  }],
  ["loss", "Post Loss", "Loss Subtotal, Twei", {
    spent_for_minuses: "Spent for Minuses", comment_tributes: "Comment Tributes", dislikes_own: "Dislikes Own",
    dislikes_commenter: "Dislikes Commenter", post_publish_tribute: "Post Publish Tribute", pnl_reports: "PnL Reports",
  }],
];

const el = (name, attributes, ...content) => {
  const e = document.createElement(name);
  for (const key in attributes) e.setAttribute(key, attributes[key]);
  e.append(...content);
  return e;
};

// Amounts are texts, and stay exact: decimals behind the fourth are cut off, not rounded.
const cut = text => {
  const [whole, fraction = ""] = text.replace("-", "−").split(".");
  return [whole, fraction.length > 4 ? fraction.slice(0, 4) + "…" : fraction];
};
const grouped = whole => {
  const sign = /^\D?/.exec(whole)[0], digits = whole.slice(sign.length);
  if (digits.length < 5) return [whole];
  const first = digits.length % 3;
  const parts = [sign + digits.slice(0, first)];
  for (let i = first; i < digits.length; i += 3) parts.push(el("wbr"), el("span", { class: "g" }, digits.slice(i, i + 3)));
  return parts;
};
const amount = (text, signed) => {
  const sign = signed && text !== "0" && text[0] !== "-" ? "+" : "";
  const [whole, fraction] = cut(text);
  let shown = [el("span", {}, ...grouped(sign + whole)), el("span", { class: "f" }, fraction && "." + fraction)];
  if (fraction.endsWith("…")) {
    shown = [el("span", { class: "exact" }, sign + text.replace("-", "−")), el("span", { class: "shown", "aria-hidden": "true" }, ...shown)];
  }
  return el("data", { class: "amount", value: text, title: text + " Twei" }, ...shown);
};
const duration = seconds => {
  const minutes = Math.floor(seconds / 60), rest = seconds % 60;
  return [minutes && minutes + " min", rest && rest + " s"].filter(Boolean).join(" ") || "—";
};
const day = text => {
  const at = new Date(text);
  return el("time", { datetime: text, title: at.toUTCString() }, at.toLocaleDateString(undefined, { dateStyle: "long" }));
};

const CLOSED = "This ledger is not open to everybody.";
const OUTCOMES = {
  401: "the ledger asks who buys, so only the platform can.",
  403: "this page may not buy for the account.",
  404: "the ledger has no such post.",
  409: "this purchase's key was taken. Press again to buy.",
};
const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), b => b.toString(16).padStart(2, "0")).join("");

class TweiledgerStatement extends HTMLElement {
  static observedAttributes = ["post", "account", "server"];

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [sheet];
  }
  connectedCallback() { this.restart(); }
  disconnectedCallback() { this.stop(); }
  attributeChangedCallback(name, before, after) { if (before !== after && this.isConnected) this.restart(); }

  get post() { return this.getAttribute("post") || ""; }
  get account() { return this.getAttribute("account") || ""; }
  get server() { return new URL(this.getAttribute("server") || HOME, document.baseURI).href.replace(/\/+$/, ""); }
  get path() { return `${this.server}/v1/posts/${encodeURIComponent(this.post)}`; }

  stop() {
    if (this.run) this.run.abort();
    this.run = null;
    if (this.stream) this.stream.close();
    clearTimeout(this.timer);
  }

  // restart shows what the attributes say. Those that are set one after another are taken together.
  restart() {
    this.stop();
    const run = this.run = new AbortController();
    queueMicrotask(() => {
      if (this.run !== run) return;
      this.key = "";
      this.build();
      this.load(run, 2000);
    });
  }

  // build lays the block out without numbers, so that nothing moves when they come.
  build() {
    const own = this.account;
    this.cells = {};
    this.tables = {};
    const cell = (key, name, attributes) => (this.cells[key] = el(name, attributes, "—"));
    const box = (label, key) => el("div", {}, el("dt", { part: "label" }, label), cell(key, "dd", { part: "amount" }));
    const boxes = el("dl", { class: "boxes" }, box("Time to Read", "time"));
    if (own) boxes.append(box("You earned", "earned"), box("Date", "date"));
    const row = (label, key, part) => el("tr", { part }, el("th", { scope: "row", part: "label" }, label),
      ...(own ? [cell("own." + key, "td", { class: "own", part: "amount" })] : []), cell(key, "td", { part: "amount" }));
    const sides = SIDES.map(([side, heading, subtotal, lines]) => (this.tables[side] = el("table", { class: side, part: side },
      el("caption", {}, heading),
      el("thead", own ? {} : { class: "hidden" }, el("tr", {}, el("th", { scope: "col" }, "Line"),
        ...(own ? [el("th", { scope: "col", class: "n" }, el("bdi", { title: own }, own))] : []),
        el("th", { scope: "col", class: "n" }, own ? "All" : "Twei"))),
      el("tbody", {}, ...Object.keys(lines).map(line => row(lines[line], `${side}.${line}`, "line"))),
      el("tfoot", {}, row(subtotal, side + ".subtotal", "subtotal")))));
    const sums = el("div", {}, el("div", { class: "sum" }, cell("total", "span", { part: "amount" }), " Twei"));
    if (own) sums.append(el("div", { class: "own" }, el("bdi", {}, own), ": ", cell("own.total", "span", { part: "amount" }), " Twei"));
    this.button = el("button", { type: "button", part: "buy" }, "Buy a report");
    this.button.addEventListener("click", () => this.buy());
    this.price = el("div", { class: "buy", hidden: "" },
      el("p", { part: "price" }, "Price for report instance: ", cell("price", "strong"), " Twei"), this.button);
    this.bought = el("p", { class: "status", role: "status", part: "status" });
    this.comment = el("p", { class: "comment", hidden: "" }, "Comment-to-Earn: ", cell("level", "span"));
    this.state = el("p", { class: "status small", role: "status", part: "status" });
    this.shadowRoot.replaceChildren(el("section", { class: "block", part: "block", "aria-label": "Profit and loss of the post" },
      el("div", { part: "readtoearn" }, el("h3", {}, "Read-to-Earn opportunity"), boxes),
      el("div", { class: "sides" }, ...sides),
      el("div", { class: "total", part: "total" }, el("span", { part: "label" }, "Total Twei Earned"), sums),
      this.price, this.bought, this.comment, this.state));
  }

  // load reads the whole once, and then listens. What fails by itself is tried again, after ever longer pauses.
  async load(run, pause) {
    const get = async path => {
      const answer = await fetch(path, { signal: run.signal, credentials: "same-origin" });
      if (!answer.ok) throw { status: answer.status };
      return answer.json();
    };
    try {
      const whole = await get(this.path);
      if (run.signal.aborted) return;
      this.show(whole.statement);
      this.put("time", duration(whole.post.time_to_read_seconds || 0));
      const level = whole.comment_min_level;
      this.price.hidden = this.comment.hidden = level === undefined;
      this.put("price", whole.report_price || "0", true);
      this.put("level", `Available from LVL ${level}`);
      let account = this.account, said = "";
      if (account) {
        try {
          this.show(await get(`${this.path}/pnl?account=${encodeURIComponent(account)}`));
        } catch (error) {
          if (error.status !== 401 && error.status !== 403) throw error;
          account = "";
          said = "What the account earned is not for everybody to see.";
        }
      }
      if (run.signal.aborted) return;
      this.say(said);
      this.listen(run, account, said);
    } catch (error) {
      if (run.signal.aborted) return;
      const lasting = { 400: "This is no post's id.", 401: CLOSED, 403: CLOSED, 404: "The ledger has no such post." }[error.status];
      this.say(lasting || "The ledger cannot be reached now. Trying again.");
      const patience = lasting ? 60000 : pause;
      this.timer = setTimeout(() => this.load(run, Math.min(2 * pause, 60000)), patience);
    }
  }

  listen(run, account, said) {
    const asked = new URLSearchParams({ post: this.post });
    if (account) asked.set("account", account);
    const stream = this.stream = new EventSource(`${this.server}/v1/stream?${asked}`);
    stream.addEventListener("statement", event => JSON.parse(event.data).statements.forEach(s => this.show(s)));
    stream.onopen = () => this.say(said);
    stream.onerror = () => {
      this.say("Not live now. Trying again.");
      // The browser comes back by itself, but not where it was refused.
      if (stream.readyState === EventSource.CLOSED) this.timer = setTimeout(() => this.load(run, 10000), 5000);
    };
  }

  // show puts the numbers of a statement in: the account's own, or the whole.
  show(statement) {
    const own = statement.scope.account_id ? "own." : "";
    for (const [side] of SIDES) {
      for (const line in statement[side]) this.put(`${own}${side}.${line}`, statement[side][line], true);
      const shown = Object.keys(this.cells).filter(key => key.replace("own.", "").startsWith(side + "."));
      const most = Math.max(...shown.map(key => cut(this.cells[key].shows || "0")[1].length));
      this.tables[side].className = `${side} dec-${most}`;
    }
    this.put(own + "total", statement.total, true, true);
    if (!own || !statement.reading) return;
    this.put("earned", statement.reading.earned, true);
    if (statement.reading.date) this.put("date", statement.reading.date, false, false, day);
    else this.put("date", "—");
  }

  // put shows a text in a cell, and marks it for a moment where it was another.
  put(key, text, exact, signed, form = text => text) {
    const cell = this.cells[key];
    if (!cell || cell.shows === text) return;
    cell.replaceChildren(exact ? amount(text, signed) : form(text));
    cell.classList.remove("changed");
    if (cell.shows !== undefined) {
      // Begins the mark anew.
      void cell.offsetWidth;
      cell.classList.add("changed");
    }
    cell.shows = text;
  }

  say(text) { if (this.state.textContent !== text) this.state.textContent = text; }

  // buy asks the page, and buys by itself where the page leaves it that and the ledger is of the same origin. The second
  // click of a double click and a key held down do not count.
  async buy() {
    const now = performance.now(), again = now - this.clicked < 700;
    this.clicked = now;
    if (again || this.buying) return;
    const { post, account, server, bought, button, run } = this;
    bought.textContent = "";
    const detail = { post, account, server };
    if (!this.dispatchEvent(new CustomEvent("tweiledger-buy", { detail, bubbles: true, composed: true, cancelable: true }))) return;
    if (!account) { bought.textContent = "A report is bought by an account: sign in first."; return; }
    if (new URL(server).origin !== location.origin) { bought.textContent = "Nothing was bought: this site does not sell reports here."; return; }
    this.buying = true;
    button.setAttribute("aria-disabled", "true");
    bought.textContent = "Buying …";
    // The key stays until an answer came: who tries again buys the same once.
    this.key ||= newKey();
    try {
      const answer = await fetch(`${this.path}/reports`, { method: "POST", body: JSON.stringify({ account_id: account }),
        headers: { "Content-Type": "application/json", "Idempotency-Key": `"${this.key}"` } });
      const outcome = await answer.json().catch(() => ({}));
      this.dispatchEvent(new CustomEvent("tweiledger-bought", { detail: outcome, bubbles: true, composed: true }));
      // An answer without a report's id is none that can be relied on.
      if (this.run === run && answer.status < 500 && (!answer.ok || outcome.report_id)) this.key = "";
      if (answer.ok && outcome.report_id) {
        bought.replaceChildren("Bought. ", el("a", { href: `${server}/reports/${encodeURIComponent(outcome.report_id)}` }, "Open the report"));
      } else {
        bought.textContent = answer.ok || answer.status >= 500 ? "The ledger could not buy now. Press again: it is charged once."
          : "Nothing was bought: " + (OUTCOMES[answer.status] || outcome.detail || answer.status);
      }
    } catch {
      bought.textContent = "No answer came. Press again: it is charged once.";
    }
    this.buying = false;
    button.removeAttribute("aria-disabled");
  }
}
customElements.get("tweiledger-statement") || customElements.define("tweiledger-statement", TweiledgerStatement);
}
