// The label grid: a page of pictures, and keys that say what they show.
//
// As in the review card, nothing waits for the server and nothing gets lost: the grid holds this page's pictures and the
// next one's, moves on by itself, and posts every label; those that the server has not taken are its queue
// (browser_half.js).

const GRIDS = new WeakMap()
const KEYS = {
  a: "confirm", enter: "confirm", s: "skip", u: "undo", h: "legend", "/": "find", backspace: "off", escape: "cancel",
  arrowleft: "left", arrowright: "right", arrowup: "up", arrowdown: "down",
}
const MOST_FOUND = 8

class Grid {
  constructor(root) {
    this.root = root
    this.queue = []
    this.given = []
    this.cursor = null
    this.again = 0
    this.awaitingUndo = false
    this.asking = null
    for (const button of root.querySelectorAll("button[data-action]")) {
      button.onclick = () => this.act(button.dataset.action)
    }
    const input = this.find("input")
    input.oninput = () => this.paintFound()
    input.onkeydown = (event) => {
      event.stopPropagation()
      if (event.key === "Escape") this.closeFind()
      if (event.key === "Enter" && this.found().length) this.label(this.found()[0].key)
    }
  }

  find(selector) {
    return this.root.querySelector(selector)
  }

  receive(data) {
    const opened = !this.data || this.data.project !== data.project
    if (opened) this.given = []
    this.data = data
    this.names = new Map(data.classes.map((one) => [one.key, one]))
    this.byKey = new Map(data.classes.filter((one) => one.press).map((one) => [one.press, one.key]))
    this.queue = waitingOf("label_grid", data)
    if (data.again !== this.again) this.given = [] // labels were given beside the grid: only the server knows the last
    this.again = data.again
    if (this.queue.length === 0) {
      this.awaitingUndo = false
      this.cursor = data.cursor
    } else {
      if (opened) this.cursor = this.queue.at(-1).next // made before a reload: go on behind them
      this.replay()
    }
    this.paintKeys()
    this.paint()
  }

  // What the server has not taken yet is still to be seen in what it sent.
  replay() {
    for (const entry of this.queue) {
      for (const [id, key] of Object.entries(entry.labels || {})) this.set(id, key)
    }
  }

  set(id, key, done = key !== null) {
    const item = this.data.items.find((one) => one.id === id)
    if (item) Object.assign(item, { label: key, done })
  }

  get place() {
    return this.data.items.findIndex((item) => item.id === this.cursor)
  }

  get item() {
    return this.data.items[this.place]
  }

  // The items of the cursor's page; after the last image, none.
  get page() {
    if (!this.item) return []
    const number = Math.floor(this.item.place / this.data.page)
    return this.data.items.filter((item) => Math.floor(item.place / this.data.page) === number)
  }

  press(event) {
    const target = event.composedPath()[0]
    const typing = target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName || "")
    if (typing || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return
    const key = event.key.toLowerCase()
    const onButton = key === "enter" && /^button$/i.test(target.tagName || "") && !target.classList.contains("tile")
    const action = this.asking && key === "enter" ? "sure" : KEYS[key]
    if (onButton || !(action || this.byKey.has(key))) return
    event.preventDefault()
    event.stopPropagation()
    if (action) this.act(action)
    else this.label(this.byKey.get(key))
  }

  act(action) {
    if (action === "legend") this.find(".legend").hidden = !this.find(".legend").hidden
    else if (action === "find") this.find("input").focus()
    else if (action === "cancel") this.ask(null)
    else if (action === "sure") this.confirmPage()
    else if (action === "page") this.ask(this.open())
    else if (this.awaitingUndo) return
    else if (action === "undo") this.undo()
    else if (["left", "right", "up", "down"].includes(action)) this.move(action)
    else if (!this.item) return
    else if (action === "skip") this.post({ action: "go", id: this.next() }, this.next())
    else if (action === "off") this.label(null)
    else if (action === "confirm" && this.item.guess) this.label(this.item.guess)
  }

  label(key) {
    const item = this.item
    if (!item || this.awaitingUndo) return
    const shown = labels([item])
    this.given.push(shown)
    this.set(item.id, key)
    const cursor = this.next()
    this.post({ action: "label", labels: { [item.id]: key }, guesses: guesses([item]), shown }, cursor)
    if (this.find("input").value || this.root.activeElement === this.find("input")) this.closeFind()
  }

  // Guesses of this page that nobody has judged yet.
  open() {
    return this.page.filter((item) => !item.done && item.guess)
  }

  ask(items) {
    this.asking = items && items.length ? items.map((item) => item.id) : null
    this.paint()
    if (this.asking) this.find("[data-action=sure]").focus()
  }

  confirmPage() {
    const items = this.open().filter((item) => (this.asking || []).includes(item.id))
    this.asking = null
    if (!items.length) return this.paint()
    const shown = labels(items)
    this.given.push(shown)
    for (const item of items) this.set(item.id, item.guess)
    const last = this.page[this.page.length - 1]
    this.post({ action: "label", labels: guesses(items), guesses: guesses(items), shown }, this.next(last))
  }

  undo() {
    const last = this.given.pop()
    this.awaitingUndo = last === undefined
    for (const [id, key] of Object.entries(last || {})) this.set(id, key, false)
    this.post({ action: "undo" }, last === undefined ? this.cursor : Object.keys(last)[0])
  }

  // The next image after `item` that still wants a label; "" after the last.
  next(item = this.item) {
    const following = this.data.items.filter((one) => one.place > item.place)
    const open = following.find((one) => !one.done)
    return open ? open.id : ""
  }

  move(direction) {
    const columns = getComputedStyle(this.find(".grid")).gridTemplateColumns.split(" ").length
    const step = { left: -1, right: 1, up: -columns, down: columns }[direction]
    const last = this.data.items[this.data.items.length - 1]
    const next = this.item ? this.data.items[this.place + step] : step < 0 && last
    if (next) this.post({ action: "go", id: next.id }, next.id)
  }

  post(entry, cursor) {
    postDecision("label_grid", this.data, { ...entry, next: cursor })
    this.queue = waitingOf("label_grid", this.data)
    this.cursor = cursor
    this.paint()
  }

  found() {
    const words = this.find("input").value.trim().toLowerCase()
    if (!words) return []
    const fits = this.data.classes.filter((one) => `${one.name} ${one.code}`.toLowerCase().includes(words))
    return fits.slice(0, MOST_FOUND)
  }

  closeFind() {
    this.find("input").value = ""
    this.find("input").blur()
    this.paintFound()
  }

  paint() {
    const item = this.item
    const page = this.page
    const card = this.find(".card")
    card.dataset.item = item ? item.id : ""
    card.dataset.pending = this.queue.length
    this.find(".count").textContent = item
      ? `${(item.place + 1).toLocaleString()} of ${this.data.total.toLocaleString()}`
      : `${this.data.total.toLocaleString()} seen`
    this.find(".said").textContent = item && item.label ? `Labelled ${this.name(item.label)}` : ""
    this.find(".grid").replaceChildren(...page.map((one) => this.tile(one)))
    this.find(".nothing").hidden = page.length > 0
    this.find(".nothing").textContent = this.queue.length
      ? "Fetching the next pictures…"
      : "You have been through this list. Press Re-rank below to see skipped images again, or U to undo."
    const open = this.open().length
    this.find(".page").textContent = `Confirm these ${open}`
    this.find(".page").hidden = open === 0
    this.find(".sure").hidden = !this.asking
    if (this.asking) {
      this.find(".sure span").textContent = `Label ${this.asking.length} images with the teacher's guess? One undo reverts them all.`
      this.find("[data-action=sure]").textContent = `Confirm ${this.asking.length} guesses`
    }
    for (const button of this.root.querySelectorAll("[data-needs-item]")) button.disabled = !item
    this.find("[data-needs-guess]").disabled = !(item && item.guess)
  }

  name(key) {
    return this.names.has(key) ? this.names.get(key).name : key
  }

  // Words go in as text nodes only: whatever a class or a file is called, it is never read as HTML.
  tile(item) {
    const tile = element("button", "tile")
    tile.setAttribute("role", "listitem")
    tile.dataset.id = item.id
    tile.dataset.done = item.done
    tile.dataset.label = item.label || ""
    tile.setAttribute("aria-current", item.id === this.cursor)
    tile.title = item.name
    tile.onclick = () => this.post({ action: "go", id: item.id }, item.id)
    const shown = item.done ? item.label : item.guess || item.label
    const frame = element("span", "frame")
    if (item.picture) {
      const picture = element("img")
      picture.src = item.picture
      picture.alt = `${item.name}, ${item.done ? "labelled" : "guess"} ${shown ? this.name(shown) : "none"}`
      frame.append(picture)
    } else {
      frame.append(element("span", "blank", "cannot be read"))
    }
    if (!item.done && item.share) frame.append(element("span", "share", `${Math.round(item.share * 100)} %`))
    tile.append(frame)
    const words = element("span", "words")
    if (shown) words.append(this.dot(shown))
    words.append(element("span", "name", shown ? `${item.done ? "✓ " : ""}${this.name(shown)}` : "no guess"))
    tile.append(words)
    return tile
  }

  dot(key) {
    const dot = element("span", "dot")
    dot.style.background = this.names.has(key) ? this.names.get(key).colour : "transparent"
    return dot
  }

  classButton(one) {
    const button = element("button")
    if (one.press) button.append(element("kbd", "", one.press.toUpperCase()))
    button.append(this.dot(one.key), element("span", "", one.name))
    button.onclick = () => this.label(one.key)
    return button
  }

  paintKeys() {
    this.find(".keys").replaceChildren(...this.data.classes.filter((one) => one.press).map((one) => this.classButton(one)))
    this.paintFound()
  }

  paintFound() {
    this.find(".found").replaceChildren(...this.found().map((one) => this.classButton(one)))
  }
}

// What the teacher guessed of these images, to be kept beside their labels.
function guesses(items) {
  return Object.fromEntries(items.filter((item) => item.guess).map((item) => [item.id, item.guess]))
}

// What is seen of these images: the server refuses to write over a label that a colleague gave meanwhile.
function labels(items) {
  return Object.fromEntries(items.map((item) => [item.id, item.label]))
}

function element(tag, name = "", text = "") {
  const made = document.createElement(tag)
  if (name) made.className = name
  if (text) made.textContent = text
  return made
}

export default function ({ data, parentElement }) {
  const grid = GRIDS.get(parentElement) || new Grid(parentElement)
  GRIDS.set(parentElement, grid)
  grid.receive(data)
  return takeKeys((event) => grid.press(event))
}
