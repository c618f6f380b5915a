// The table of values of a run, and when those who show it draw again.

// A value of an object of JSON; null if it has none of that name. A split may be called `constructor`.
const own = (object, name) => (object && Object.hasOwn(object, name) ? object[name] : null);

class Board {
  // Milliseconds between two drawings.
  static PAUSE = 1000;

  #sections = new Map();
  #watchers = [];
  #changed = new Map();
  #drawn = -Infinity;
  #timer = null;

  // All values of a section: key -> value, in the order in which they came.
  section(name) {
    if (!this.#sections.has(name)) this.#sections.set(name, new Map());
    return this.#sections.get(name);
  }

  get(section, key) {
    return this.section(section).get(key) ?? null;
  }

  // Have `draw(changed)` called when something in these sections has changed, at most once a second.
  // `changed(section)` gives the set of keys that were set or removed since it was called last.
  watch(sections, draw) {
    this.#watchers.push({ sections, draw });
  }

  // Set the values of a patch: section -> key -> value; null removes a value.
  apply(patch) {
    for (const [name, values] of Object.entries(patch)) {
      const section = this.section(name);
      if (!this.#changed.has(name)) this.#changed.set(name, new Set());
      for (const [key, value] of Object.entries(values)) {
        if (value === null) section.delete(key);
        else section.set(key, value);
        this.#changed.get(name).add(key);
      }
    }
    this.#schedule();
  }

  // Hold what a patch says and nothing else. What stays as it was is not drawn again.
  replace(patch) {
    const difference = {};
    for (const name of new Set([...this.#sections.keys(), ...Object.keys(patch)])) {
      const before = this.section(name);
      const after = patch[name] ?? {};
      const gone = [...before.keys()].filter((key) => !Object.hasOwn(after, key));
      const differs = ([key, value]) => JSON.stringify(before.get(key)) !== JSON.stringify(value);
      difference[name] = Object.fromEntries([...gone.map((key) => [key, null]), ...Object.entries(after).filter(differs)]);
    }
    this.apply(difference);
  }

  #schedule() {
    if (this.#timer !== null || this.#changed.size === 0) return;
    const wait = Math.max(0, this.#drawn + Board.PAUSE - performance.now());
    this.#timer = setTimeout(() => this.#draw(), wait);
  }

  #draw() {
    const changed = this.#changed;
    this.#changed = new Map();
    this.#timer = null;
    const nothing = new Set();
    for (const { sections, draw } of this.#watchers) {
      if (sections.some((name) => changed.get(name)?.size)) draw((name) => changed.get(name) ?? nothing);
    }
    this.#drawn = performance.now();
  }
}
