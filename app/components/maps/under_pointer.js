// The card under the pointer. Plotly tells which point the pointer is on; what is known of it comes from the server, once
// a point, and is shown beside the pointer for as long as it stays there.

const CARDS = new WeakMap()
const PATIENCE = 60 // milliseconds on a point before the server is asked: a sweep across the map asks for nothing

class Card {
  constructor(root) {
    this.card = root.querySelector(".card")
    this.known = new Map()
    this.on = null
    this.heard = new WeakSet()
    // Charts are drawn after this component, and drawn anew: whichever is there is listened to.
    this.watcher = new MutationObserver(() => this.listen())
    this.watcher.observe(document.body, { childList: true, subtree: true })
  }

  receive(data, ask) {
    if (this.data && this.data.map !== data.map) this.known.clear()
    this.data = data
    this.ask = ask
    const found = data.found
    if (found) this.known.set(name(found), found)
    if (found && this.on && name(this.on) === name(found)) this.show(found)
    this.listen()
  }

  listen() {
    for (const view of this.data?.views || []) {
      const plot = document.querySelector(`.st-key-map_${view} .js-plotly-plot`)
      if (!plot || !plot.on || this.heard.has(plot)) continue
      this.heard.add(plot)
      plot.on("plotly_hover", (event) => this.enter(view, event))
      plot.on("plotly_unhover", () => this.leave())
    }
  }

  enter(view, { points, event }) {
    const point = points.find((one) => one.customdata !== undefined)
    if (!point || !this.card.isConnected) return
    const custom = point.customdata
    this.on = { map: this.data.map, view, row: Array.isArray(custom) ? custom[0] : custom, x: event.clientX, y: event.clientY }
    clearTimeout(this.waiting)
    const found = this.known.get(name(this.on))
    if (found) this.show(found)
    else {
      this.card.hidden = true
      const { map, row } = this.on
      this.waiting = setTimeout(() => this.ask({ map, view, row }), PATIENCE)
    }
  }

  leave() {
    clearTimeout(this.waiting)
    this.on = null
    this.card.hidden = true
  }

  show(found) {
    const image = this.card.querySelector("img")
    image.hidden = !found.picture
    image.onload = () => this.on && this.place() // only then its height is known
    if (found.picture) image.src = found.picture
    this.card.querySelector(".title").textContent = found.title
    this.card.querySelector(".text").textContent = found.text
    this.card.querySelector(".lines").textContent = found.lines.join(" ")
    this.card.dataset.row = found.row
    this.card.hidden = false
    this.place()
  }

  // Beside the pointer, and inside the window.
  place() {
    const { width, height } = this.card.getBoundingClientRect()
    const right = this.on.x + 18 + width < window.innerWidth
    this.card.style.left = `${right ? this.on.x + 18 : Math.max(4, this.on.x - 18 - width)}px`
    this.card.style.top = `${Math.max(4, Math.min(this.on.y + 12, window.innerHeight - height - 4))}px`
  }

  end() {
    this.leave()
    this.watcher.disconnect()
  }
}

function name({ map, view, row }) {
  return `${map} ${view} ${row}`
}

export default function ({ data, parentElement, setStateValue }) {
  const card = CARDS.get(parentElement) || new Card(parentElement)
  CARDS.set(parentElement, card)
  card.receive(data, (point) => setStateValue("asked", point))
  return () => {
    card.end()
    CARDS.delete(parentElement)
  }
}
