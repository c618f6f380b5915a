// Elements of the page. Text only ever enters as textContent, since a model may have written it.

const element = (tag, text = "", className = "") => {
  const made = document.createElement(tag);
  if (text) made.textContent = text;
  if (className) made.className = className;
  return made;
};

const svgElement = (tag, attributes = {}, text = "") => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text) made.textContent = text;
  return made;
};

// Change what differs only, so that focus and selection stay.
const setText = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};

// Make the children of a node those that stand for some keys, in that order. A child that is there already is kept.
// `make(key)` makes one that is missing; `fill(child, value)` shows a value in it.
const keepChildren = (parent, entries, make, fill) => {
  const there = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const [key, value] of entries) {
    let child = there.get(key);
    if (child === undefined) {
      child = make(key, value);
      child.dataset.key = key;
    }
    there.delete(key);
    fill(child, value);
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
  for (const child of there.values()) child.remove();
};

// Radio buttons of one choice; `options`: value -> label. Nothing is made again while the options stay the same.
const radios = (parent, name, title, options, chosen, choose) => {
  const made = JSON.stringify([title, options]);
  parent.hidden = Object.keys(options).length < 2;
  if (parent.dataset.made === made) return;
  parent.dataset.made = made;
  parent.replaceChildren(element("legend", title));
  for (const [value, text] of Object.entries(options)) {
    const label = element("label");
    const input = element("input");
    Object.assign(input, { type: "radio", name, value, checked: value === chosen });
    input.addEventListener("change", () => choose(value));
    label.append(input, ` ${text}`);
    parent.append(label);
  }
};

// Tell what has happened to those who hear the page.
const tell = (text) => {
  document.getElementById("news").textContent = text;
};
