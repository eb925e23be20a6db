// A screenshot pasted anywhere on the page goes into the image box.
document.addEventListener("paste", (event) => {
  const image = [...event.clipboardData.files].find((file) => file.type.startsWith("image/"));
  const input = document.querySelector("#mm-image input[type=file]");
  if (!image || !input) return;
  const pasted = new DataTransfer();
  pasted.items.add(image);
  input.files = pasted.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
  event.preventDefault();
});
