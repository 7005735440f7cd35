// The review card: shows one description and takes verdicts by key or button.
//
// Fast keys must neither be lost nor judge a text that nobody saw. So the card knows the next texts, moves on by
// itself, and posts every decision; those that the server has not acknowledged are its queue (browser_half.js).

const CARDS = new WeakMap()
const KEYS = {
  a: "accept", x: "reject", e: "edit", s: "skip", u: "undo", t: "withdraw", w: "reason", h: "legend",
  arrowleft: "back", arrowright: "forward", arrowup: "back", arrowdown: "forward",
}
const CURRENT = { accept: "accepted", reject: "rejected", edit: "undecided", withdraw: "undecided" }
const MINE = { accept: "accepted", reject: "rejected", edit: "undecided", skip: "skipped", withdraw: "" }
const PRESS = { accept: "A", reject: "X" }
const BADGES = { accepted: "✓ Accepted", rejected: "✕ Rejected", undecided: "Undecided" }

const SEEN_ALL = "No description of this view waits for a verdict. Change the filters above, or press U to undo."
const SAID_MS = 6000 // how long a message stands, and a second press means what it asks
const WAITING = "Faster than the server: the next descriptions are on their way."

class Card {
  constructor(root) {
    this.root = root
    this.queue = []
    this.judged = []
    this.cursor = null
    this.editing = false
    this.awaitingUndo = false
    this.asked = null // a change of a verdict that wants a second press: { id, action }
    for (const button of root.querySelectorAll("button[data-action]")) {
      button.onclick = () => this.act(button.dataset.action)
    }
    this.find("textarea").onkeydown = (event) => {
      event.stopPropagation()
      if (event.key === "Escape") this.closeEditor()
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.act("save")
    }
    this.find(".reason").onkeydown = (event) => {
      event.stopPropagation()
      if (event.key === "Enter" || event.key === "Escape") event.target.blur()
    }
  }

  find(selector) {
    return this.root.querySelector(selector)
  }

  receive(data) {
    const opened = !this.data || this.data.project !== data.project
    if (opened) this.judged = []
    this.data = data
    if (this.said && this.said.project !== data.project) this.say("")
    this.queue = waitingOf("review_card", data)
    if (this.queue.length === 0) {
      this.awaitingUndo = false
      if (!this.editing) this.cursor = data.cursor
    } else if (opened) {
      this.cursor = this.queue.at(-1).next // made before a reload: go on behind them
    }
    this.paint()
  }

  get place() {
    const place = this.data.items.findIndex((item) => item.id === this.cursor)
    return place < 0 ? this.data.items.length : place
  }

  press(event) {
    const target = event.composedPath()[0]
    const typing = target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName || "")
    if (typing || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return
    const action = KEYS[event.key.toLowerCase()]
    if (!action || this.editing) return
    event.preventDefault()
    event.stopPropagation()
    this.act(action)
  }

  act(action) {
    const place = this.place
    const item = this.data.items[place]
    const asked = this.asked && item && this.asked.id === item.id && this.asked.action === action
    if (action !== "legend" && action !== "reason") this.say("")
    if (action === "legend") this.find(".legend").hidden = !this.find(".legend").hidden
    else if (action === "cancel") this.closeEditor()
    else if (action === "reason") this.find(".reason").focus()
    else if (this.awaitingUndo) return
    else if (action === "undo") this.undo()
    else if (action === "back" || action === "forward") {
      const next = this.data.items[place + (action === "back" ? -1 : 1)]
      const beside = !next || !item || Math.abs(next.place - item.place) === 1 // judged texts between may not be here
      if (next && beside) this.post({ id: next.id, action: "go" }, next.id)
    } else if (!item) return
    else if (action === "edit") this.openEditor(item)
    else if (action === "save") {
      const text = this.find("textarea").value.trim()
      this.editing = false
      if (text && text !== item.text) this.judge(item, "edit", text)
      else this.paint()
    } else if (action === "withdraw") {
      if (item.mine) this.judge(item, action)
    } else if (action === "skip") this.judge(item, action)
    else this.acceptOrReject(item, action, asked)
  }

  // A key on a judged text must be meant: the first press says what it would change, the second one does it.
  acceptOrReject(item, action, asked) {
    const verdict = CURRENT[action]
    const reason = this.find(".reason").value.trim()
    if (item.mine === verdict && !reason) {
      const next = this.nextOpen(item)
      this.post({ id: next || item.id, action: "go" }, next || item.id)
      this.say(`You had ${verdict} it already: nothing changed.`)
    } else if (asked || !judgedOtherwise(item, verdict)) {
      const before = asked ? judgedBy(item) : ""
      this.judge(item, action)
      if (before) this.say(`The text before is ${verdict} now (${before}). U undoes.`)
    } else {
      this.say(`Judged already: ${judgedBy(item)}. Press ${PRESS[action]} again to ${action} it.`)
      this.asked = { id: item.id, action }
    }
  }

  judge(item, action, text) {
    const reason = this.find(".reason").value.trim()
    const stays = action === "edit" || action === "withdraw" // an edit is scored anew, then judged
    const next = stays ? item.id : this.nextOpen(item)
    const shown = item.text // a colleague may edit it before the server hears of this
    const { verdict, mine, note, waits, by } = item
    const changed = judgedBy(item)
    item.verdict = CURRENT[action] || item.verdict
    item.mine = action === "skip" ? item.mine || "skipped" : MINE[action] // a skip takes no verdict back
    item.note = ""
    item.waits = stays
    if (CURRENT[action]) item.by = "you"
    if (text) Object.assign(item, { text, hits: [], changes: null })
    if (action === "withdraw") this.judged = this.judged.filter((one) => one.id !== item.id)
    else this.judged.push({ id: item.id, before: text ? {} : { verdict, mine, note, waits, by } })
    this.find(".reason").value = ""
    const known = this.data.read_up_to // which verdicts were in what the page showed
    this.post({ id: item.id, action, text, shown, known, reason }, next)
    if (stays && changed) this.say(`It is undecided again (${changed}). U undoes.`)
  }

  // The next text that waits for a verdict; behind the last one, those that were passed over. "" where there is none,
  // or where it is still on its way here.
  nextOpen(item) {
    const open = this.data.items.filter((one) => one.waits && one.id !== item.id)
    const next = open.find((one) => one.place > item.place) || (this.data.more ? null : open[0])
    return next ? next.id : ""
  }

  undo() {
    const last = this.judged.pop()
    this.awaitingUndo = last === undefined
    const item = last && this.data.items.find((one) => one.id === last.id)
    if (item) Object.assign(item, last.before) // until the server says how it stands
    this.post({ id: "", action: "undo" }, last === undefined ? this.cursor : last.id)
  }

  // A message under the text, for a while.
  say(text) {
    clearTimeout(this.silence)
    this.asked = null
    this.said = { text, project: this.data.project }
    if (text) this.silence = setTimeout(() => this.say(""), SAID_MS)
    this.find(".said").textContent = text
  }

  post(decision, cursor) {
    postDecision("review_card", this.data, { ...decision, next: cursor })
    this.queue = waitingOf("review_card", this.data)
    this.cursor = cursor
    this.paint()
  }

  openEditor(item) {
    this.editing = true
    this.find("textarea").value = item.text
    this.paint()
    if (item.verdict !== "undecided") this.say(`Judged already: ${judgedBy(item)}. Saving other words opens it again.`)
    this.find("textarea").focus()
  }

  closeEditor() {
    this.editing = false
    this.paint()
  }

  paint() {
    const item = this.data.items[this.place]
    this.find(".card").dataset.verdict = item ? item.verdict : "none"
    this.find(".card").dataset.item = item ? item.id : ""
    this.find(".card").dataset.pending = this.queue.length
    this.find(".where").textContent = item ? [item.class_name, item.writer].filter(Boolean).join(" · ") : ""
    this.find(".badge").textContent = item ? BADGES[item.verdict] : ""
    this.find(".note").textContent = item ? (item.mine === "skipped" ? "you skipped it" : item.note) : ""
    this.find(".count").textContent = item
      ? `${(item.place + 1).toLocaleString()} of ${this.data.total.toLocaleString()}`
      : `${this.data.total.toLocaleString()} in this view`
    this.find(".text").hidden = this.editing
    this.find(".editor").hidden = !this.editing
    this.find(".actions").hidden = this.editing
    this.paintText(item)
    this.paintChanges(item && item.changes)
    for (const button of this.root.querySelectorAll("[data-needs-item]")) button.disabled = !item
    this.find("[data-action=withdraw]").disabled = !item || !item.mine
  }

  // The text as written and as edited in one line: what was taken out struck through, what came in underlined.
  paintChanges(changes) {
    const box = this.find(".changes")
    box.hidden = !changes || this.editing
    const parts = (changes || []).map(([kind, words]) => {
      const part = document.createElement(kind === "same" ? "span" : kind === "gone" ? "del" : "ins")
      part.textContent = words
      return part
    })
    box.replaceChildren("As written, with the edit: ", ...parts.flatMap((part) => [part, " "]))
  }

  // Text goes in as text nodes only: whatever a description holds, it is never read as HTML.
  paintText(item) {
    const box = this.find(".text")
    if (!item) {
      box.replaceChildren(this.data.more ? WAITING : SEEN_ALL)
      return
    }
    const letters = Array.from(item.text) // by code point, as the server counts
    const slice = (start, end) => letters.slice(start, end).join("")
    const parts = []
    let at = 0
    for (const [start, end, kind] of item.hits) {
      const mark = document.createElement("mark")
      mark.className = kind
      mark.title = kind === "positive" ? "Suggests an overhead view" : "Suggests a view from the ground"
      mark.textContent = slice(start, end)
      parts.push(slice(at, start), mark)
      at = end
    }
    parts.push(slice(at))
    box.replaceChildren(...parts)
  }
}

// Who has judged a text, and how: "you accepted it, bob rejected it"; "" where nobody has.
function judgedBy(item) {
  const mine = /^(accepted|rejected)$/.test(item.mine) ? `you ${item.mine} it` : ""
  const others = item.verdict !== "undecided" && item.verdict !== item.mine ? `${item.by} ${item.verdict} it` : ""
  return [mine, others].filter(Boolean).join(", ")
}

// Whether this verdict would stand against one's own, or against what holds.
function judgedOtherwise(item, verdict) {
  const against = (one) => /^(accepted|rejected)$/.test(one) && one !== verdict
  return against(item.verdict) || against(item.mine)
}

export default function ({ data, parentElement }) {
  const card = CARDS.get(parentElement) || new Card(parentElement)
  CARDS.set(parentElement, card)
  card.receive(data)
  return takeKeys((event) => card.press(event))
}
