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
const BADGES = { accepted: "✓ Accepted", rejected: "✕ Rejected", undecided: "Undecided" }

const SEEN_ALL = "You have seen every description of this view. Change the filters above, or press U to undo."
const WAITING = "Faster than the server: the next descriptions are on their way."

class Card {
  constructor(root) {
    this.root = root
    this.queue = []
    this.judged = []
    this.cursor = null
    this.editing = false
    this.awaitingUndo = false
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
    if (action === "legend") this.find(".legend").hidden = !this.find(".legend").hidden
    else if (action === "cancel") this.closeEditor()
    else if (action === "reason") this.find(".reason").focus()
    else if (this.awaitingUndo) return
    else if (action === "undo") this.undo()
    else if (action === "back" || action === "forward") {
      const next = this.data.items[place + (action === "back" ? -1 : 1)]
      if (next) this.post({ id: next.id, action: "go" }, next.id)
    } else if (!item) return
    else if (action === "edit") this.openEditor(item)
    else if (action === "save") {
      const text = this.find("textarea").value.trim()
      this.editing = false
      if (text && text !== item.text) this.judge(item, "edit", text)
      else this.paint()
    } else if (action !== "withdraw" || item.mine) this.judge(item, action)
  }

  judge(item, action, text) {
    const reason = this.find(".reason").value.trim()
    const stays = action === "edit" || action === "withdraw" // an edit is scored anew, then judged
    const next = stays ? item : this.data.items[this.place + 1]
    const shown = item.text // a colleague may edit it before the server hears of this
    item.verdict = CURRENT[action] || item.verdict
    item.mine = MINE[action]
    item.note = ""
    if (text) Object.assign(item, { text, hits: [], changes: null })
    if (action === "withdraw") this.judged = this.judged.filter((id) => id !== item.id)
    else this.judged.push(item.id)
    this.find(".reason").value = ""
    this.post({ id: item.id, action, text, shown, reason }, next ? next.id : "")
  }

  undo() {
    const last = this.judged.pop()
    this.awaitingUndo = last === undefined
    this.post({ id: "", action: "undo" }, last === undefined ? this.cursor : last)
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
    this.find(".where").textContent = item ? `${item.class_name} · ${item.writer}` : ""
    this.find(".badge").textContent = item ? BADGES[item.verdict] : ""
    this.find(".note").textContent = item ? (item.mine === "skipped" ? "you skipped it" : item.note) : ""
    this.find(".count").textContent = item
      ? `${(item.place + 1).toLocaleString()} of ${this.data.total.toLocaleString()}`
      : `${this.data.total.toLocaleString()} seen`
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
      const last = this.data.items.at(-1)
      const more = last && last.place + 1 < this.data.total
      box.replaceChildren(more ? WAITING : SEEN_ALL)
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

export default function ({ data, parentElement }) {
  const card = CARDS.get(parentElement) || new Card(parentElement)
  CARDS.set(parentElement, card)
  card.receive(data)
  return takeKeys((event) => card.press(event))
}
