// The page can be read without this script. With it, images are compared with a slider, filtered,
// put in order and seen as large as the window, and the theme can be chosen.
"use strict";

const root = document.documentElement;
root.classList.add("script");
showTheme(storedTheme()); // before anything is drawn, so that nothing flashes

document.addEventListener("DOMContentLoaded", () => {
  followSliders();
  chooseTheme();
  const list = listCards();
  openFullView(list);
});

// ---- Theme: "system", "light" or "dark" ----

function storedTheme() {
  try {
    return localStorage.getItem("gallery-theme") ?? "system";
  } catch {
    return "system"; // a browser may forbid pages on disk to store anything
  }
}

function showTheme(theme) {
  root.dataset.theme = theme;
}

function chooseTheme() {
  const choice = document.getElementById("theme");
  choice.value = storedTheme();
  choice.addEventListener("change", () => {
    showTheme(choice.value);
    try {
      localStorage.setItem("gallery-theme", choice.value);
    } catch {
      // It is not remembered, then.
    }
  });
}

// ---- Sliders: one set of listeners for all images, those of the full view as well ----

function followSliders() {
  let held = null; // the image that is dragged on
  let start = null; // where that began

  document.addEventListener("input", (event) => {
    if (event.target.matches(".slider")) show(event.target);
  });

  document.addEventListener("pointerdown", (event) => {
    const image = imageOf(event);
    if (!image || event.button !== 0 || !event.isPrimary) return;
    held = image;
    start = event;
    image.setPointerCapture(event.pointerId);
    if (event.pointerType !== "touch") slide(image, event);
  });

  document.addEventListener("pointermove", (event) => {
    if (!held || !event.isPrimary) return;
    // A finger that goes up or down scrolls the page: then the browser ends this with "pointercancel".
    const across = Math.abs(event.clientX - start.clientX) > Math.abs(event.clientY - start.clientY);
    if (event.pointerType === "touch" && start.pointerId === event.pointerId && !across) return;
    slide(held, event);
  });

  for (const end of ["pointerup", "pointercancel"]) {
    document.addEventListener(end, () => (held = null));
  }

  document.addEventListener("click", (event) => {
    const image = imageOf(event);
    if (image && event.pointerType === "touch") slide(image, event);
  });

  // The browser would otherwise drag the image's file away, and take the focus from the slider.
  document.addEventListener("mousedown", (event) => {
    if (imageOf(event)) event.preventDefault();
  });
}

function imageOf(event) {
  return event.target.closest("button") ? null : event.target.closest(".compare");
}

function slide(image, event) {
  const slider = image.querySelector(".slider");
  const { left, width } = image.getBoundingClientRect();
  slider.value = (100 * (event.clientX - left)) / width; // the slider keeps it between 0 and 100
  slider.focus({ preventScroll: true });
  show(slider);
}

function show(slider) {
  slider.parentElement.style.setProperty("--at", `${slider.value}%`);
  slider.setAttribute("aria-valuetext", `${Math.round(slider.value)} %`);
}

// ---- Filter and order ----

// Returns a function that gives the cards with an image which are shown now, in their order.
function listCards() {
  const place = document.querySelector(".cards");
  const filter = document.getElementById("filter");
  const order = document.getElementById("order");
  const direction = document.getElementById("direction");
  const count = document.getElementById("count");
  let cards = [...place.children].map(readCard);
  let backwards = false;

  function applyFilter() {
    const words = plain(filter.value).split(/\s+/);
    let shown = 0;
    for (const card of cards) {
      card.element.hidden = !words.every((word) => card.plainName.includes(word));
      if (!card.element.hidden) shown += 1;
    }
    const images = cards.length === 1 ? "image" : "images";
    count.textContent = shown === cards.length ? `${shown} ${images}` : `${shown} of ${cards.length} ${images}`;
  }

  function applyOrder() {
    const { value: key, dataset } = order.selectedOptions[0];
    const sign = (dataset.way === "falling") === backwards ? 1 : -1;
    // Those without the value come last, whichever way the others go.
    const known = cards.filter((card) => card.values.has(key));
    const unknown = cards.filter((card) => !card.values.has(key));
    const byPlace = (one, other) => one.values.get("place") - other.values.get("place");
    known.sort((one, other) => sign * compare(one.values.get(key), other.values.get(key)) || byPlace(one, other));
    cards = [...known, ...unknown.sort(byPlace)];
    const inOrder = document.createDocumentFragment();
    for (const card of cards) inOrder.append(card.element);
    place.append(inOrder);
    direction.textContent = backwards ? dataset.backwards : dataset.forwards;
  }

  filter.addEventListener("input", applyFilter);
  order.addEventListener("change", () => {
    backwards = false;
    applyOrder();
  });
  direction.addEventListener("click", () => {
    backwards = !backwards;
    applyOrder();
  });
  applyFilter();
  direction.textContent = order.selectedOptions[0].dataset.forwards;
  return () => cards.filter((card) => card.image && !card.element.hidden);
}

function readCard(element, place) {
  const name = element.querySelector("h2").textContent;
  const values = new Map([["place", place], ["name", name]]);
  for (const { dataset } of element.querySelectorAll("dd")) {
    if ("value" in dataset) values.set(dataset.key, Number(dataset.value));
  }
  return { element, name, plainName: plain(name), values, image: element.querySelector(".compare") };
}

function plain(text) {
  return text.normalize("NFKC").toLowerCase().trim();
}

const names = new Intl.Collator("en", { numeric: true }); // 2.png before 10.png

function compare(one, other) {
  if (typeof one === "string") return names.compare(one, other);
  return one - other; // of two infinities, this is no number and counts as 0
}

// ---- Full view ----

function openFullView(list) {
  const view = document.getElementById("full");
  const place = document.getElementById("full-image");
  let viewed = null;
  let opener = null;
  let fillsScreen = false;

  function look(card) {
    viewed = card;
    // A copy brings along where the slider of the card stands.
    const image = card.image.cloneNode(true);
    image.querySelector(".open").remove();
    for (const img of image.querySelectorAll("img")) img.loading = "eager";
    place.style.cssText = card.element.style.cssText;
    place.replaceChildren(image);
    document.getElementById("full-name").textContent = card.name;
    const values = card.element.querySelector(".values").cloneNode(true).children;
    document.getElementById("full-values").replaceChildren(...values);
    const cards = list();
    document.getElementById("full-place").textContent = `${cards.indexOf(card) + 1} of ${cards.length}`;
  }

  function move(steps) {
    const cards = list();
    look(cards[(cards.indexOf(viewed) + steps + cards.length) % cards.length]);
  }

  document.addEventListener("click", (event) => {
    const pressed = event.target.closest(".open");
    if (!pressed) return;
    opener = pressed;
    look(list().find((card) => card.image.contains(pressed)));
    view.showModal();
    // Not by autofocus, which browsers also obey when the page loads, whatever has the focus by then.
    document.getElementById("next").focus();
    fillScreen();
  });
  document.getElementById("previous").addEventListener("click", () => move(-1));
  document.getElementById("next").addEventListener("click", () => move(1));
  document.getElementById("close").addEventListener("click", () => view.close());

  view.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const busy = event.target.matches(".slider") || event.altKey || event.ctrlKey || event.metaKey;
    if (!steps || busy) return;
    event.preventDefault();
    move(steps);
  });
  view.addEventListener("close", () => {
    fillsScreen = false;
    if (document.fullscreenElement) document.exitFullscreen();
    place.replaceChildren();
    opener.focus();
  });
  // The first Escape ends the browser's full screen, without a word to the page; it is to close the view, too.
  document.addEventListener("fullscreenchange", () => {
    if (!document.fullscreenElement && fillsScreen) view.close();
  });

  async function fillScreen() {
    try {
      await root.requestFullscreen({ navigationUI: "hide" });
      fillsScreen = view.open;
      if (!view.open) await document.exitFullscreen();
    } catch {
      // Refused or not available: the view fills the window.
    }
  }
}
