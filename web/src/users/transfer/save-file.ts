/** Time for which a file that was handed to the browser is kept, in milliseconds. */
const KEPT_MS = 60_000;

/** Makes the browser save a file. */
export function saveFile(file: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS);
}
