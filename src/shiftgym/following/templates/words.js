// Numbers and names as a reader sees them.

const words = {
  // A number with one decimal. Of two that are as near, the even one is taken, as the tables of a report have it.
  tenths(value) {
    const size = Math.abs(value);
    const text = ((4 * size) % 4 === 1 ? Math.floor(10 * size) / 10 : size).toFixed(1);
    return value < 0 ? `-${text}` : text;
  },

  // A share from 0 to 1.
  percent: (share) => (share === null || share === undefined ? "" : `${words.tenths(100 * share)} %`),

  interval: (low, high) => (low === null || high === null ? "" : `${words.tenths(100 * low)} to ${words.tenths(100 * high)} %`),

  // A difference in points.
  signed: (points) => `${points < 0 ? "−" : "+"}${words.tenths(Math.abs(points))}`,

  // Three significant digits, with a power of ten where plain digits would be long.
  number(value) {
    if (value === null || value === undefined) return "";
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-3 || size >= 1e6)) {
      const power = Math.floor(Math.log10(size));
      return `${(value / 10 ** power).toFixed(2)} × ${words.ten(power)}`;
    }
    return size >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));
  },

  ten: (power) => `10${String(power).replace(/[-\d]/g, (digit) => (digit === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]))}`,

  count: (number, one, many = `${one}s`) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`,

  // Of seconds: the two largest units.
  duration(seconds) {
    if (seconds === null || seconds === undefined) return "";
    if (seconds < 60) return `${Math.round(seconds)} s`;
    const minutes = Math.round(seconds / 60);
    if (minutes < 60) return `${minutes} min`;
    const hours = Math.floor(minutes / 60);
    if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
    return `${Math.floor(hours / 24)} d ${hours % 24} h`;
  },

  // An outcome or a measure, which is written with underscores.
  name: (text) => text.replaceAll("_", " "),

  // A split, and what it is in the comparison of some runs.
  split: (split, heads) =>
    `${split}${heads.some((head) => head.home === split) ? " (home)" : heads.some((head) => head.shifted.includes(split)) ? " (shifted)" : ""}`,

  first: (text) => text.charAt(0).toUpperCase() + text.slice(1),
};
