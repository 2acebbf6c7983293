/** Numbers as text. */

/** Two decimals with a real minus sign, and none before zero. */
export function number(value: number): string {
  const text = value.toFixed(2);
  return (text === "-0.00" ? "0.00" : text).replace("-", "−");
}

export const percent = (share: number): string => `${Math.round(100 * share)} %`;

/** How sure the model is, in words. */
export function sureness(phrase: { confidence: number; unknown?: boolean }): string {
  return `${percent(phrase.confidence)} sure${phrase.unknown ? ", no word known" : ""}`;
}

export const count = (n: number): string => n.toLocaleString("en-GB");

/** A number and its noun: 1 picture, 2 pictures. */
export const many = (n: number, noun: string): string => `${count(n)} ${noun}${n === 1 ? "" : "s"}`;

/** A duration: 8 s, 3 min, 2 h 05 min. */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

/** First letter in upper case. */
export const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

/** A command with the name of a workspace in place of WS; unchanged if there is none. */
export function named(command: string, workspace: string): string {
  const word = /^[\w./-]+$/.test(workspace) ? workspace : `'${workspace.replaceAll("'", "'\\''")}'`;
  return workspace ? command.replace(/\bWS\b/g, () => word) : command;
}
