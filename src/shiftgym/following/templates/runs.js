// The list of runs: the button says what it compares, and the list is read again while the page is visible.
{
  // Milliseconds between two looks.
  const PAUSE = 5000;
  const form = document.getElementById("runs-form");
  const button = document.getElementById("compare");
  const body = () => document.querySelector("#runs tbody");
  const chosen = () => [...form.querySelectorAll('input[name="run"]:checked')].map((input) => input.value);
  const show = () => {
    const number = chosen().length;
    button.disabled = number < 2;
    setText(button, number < 2 ? "Compare" : `Compare ${number} runs`);
  };
  const look = async () => {
    try {
      const answer = await fetch(location.href);
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("#runs tbody");
      if (!fresh || fresh.innerHTML === body().dataset.made) return;
      const [marked, focused] = [chosen(), document.activeElement?.value];
      const made = fresh.innerHTML;
      body().replaceWith(document.importNode(fresh, true));
      body().dataset.made = made;
      for (const input of form.querySelectorAll('input[name="run"]')) {
        input.checked = marked.includes(input.value);
        if (focused && input.value === focused) input.focus();
      }
    } catch {
      // The server is away; it is asked again.
    }
  };
  form.addEventListener("change", show);
  setInterval(async () => {
    if (document.hidden) return;
    await look();
    show();
  }, PAUSE);
  show();
}
