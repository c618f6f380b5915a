// The page of one run: live, or a file that carries one table for each backbone.
{
  const board = new Board();
  const live = document.body.dataset.live !== undefined;
  const branches = new Branches([{ name: "", board }]);
  const has = (id) => document.getElementById(id) !== null;
  if (has("run-title")) new Summary(board);
  if (has("changes")) new Changes(board, branches);
  new Progress(board);
  if (has("success")) new Success([{ name: "", board }], branches);
  if (has("curves")) new Curves(board, branches);
  new Episodes(board, new Problems(board, live), live);
  if (live) new Stream(board);
  else {
    const embedded = [...document.querySelectorAll("script.board")];
    const options = Object.fromEntries(embedded.map((one, index) => [index, one.dataset.name]));
    const show = (index) => board.replace(JSON.parse(embedded[index].textContent));
    if (has("backbones")) radios(document.getElementById("backbones"), "backbone", "Backbone of the charts, episodes and progress", options, "0", show);
    show(0);
  }
}
