// An axis of a chart: from values to pixels, with round ticks.

class Scale {
  // `low` and `high`: what the data span; `from` and `to`: pixels; `exact`: do not widen to the next round number.
  constructor(low, high, from, to, count, exact = false) {
    if (high <= low) [low, high] = low === 0 ? [0, 1] : [low - Math.abs(low) / 2, high + Math.abs(high) / 2];
    const rough = (high - low) / count;
    const ten = 10 ** Math.floor(Math.log10(rough));
    const step = ten * [1, 2, 5, 10].find((times) => times * ten >= rough * 0.999);
    this.low = exact ? low : Math.floor(low / step + 1e-9) * step;
    this.high = exact ? high : Math.ceil(high / step - 1e-9) * step;
    this.from = from;
    this.to = to;
    this.ticks = [];
    for (let tick = Math.ceil(this.low / step - 1e-9); tick * step <= this.high + step * 1e-6; tick += 1) {
      this.ticks.push(tick * step);
    }
    // Where numbers are long, all ticks share one power of ten.
    const largest = Math.max(Math.abs(this.low), Math.abs(this.high));
    this.power = largest >= 1e4 || largest < 1e-2 ? Math.floor(Math.log10(largest)) : 0;
    this.digits = Math.max(0, this.power - Math.floor(Math.log10(step) + 1e-9));
  }

  at(value) {
    return this.from + ((value - this.low) / (this.high - this.low)) * (this.to - this.from);
  }

  label(tick) {
    return (tick / 10 ** this.power).toFixed(this.digits);
  }

  // What a title of the axis has to add.
  get unit() {
    return this.power ? `× ${words.ten(this.power)}` : "";
  }

  // Whether another scale puts every value at the same pixel.
  equals(other) {
    return ["low", "high", "from", "to"].every((name) => this[name] === other?.[name]);
  }
}
