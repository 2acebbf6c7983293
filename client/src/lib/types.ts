/** Shapes of the API's answers. */
export type Corners = [number, number, number, number];

export interface Phrase {
  text: string;
  span: [number, number];
  box: Corners;
  boxes: Corners[];
  score: number;
  confidence: number;
  whole_image: boolean;
  unknown?: boolean;
}
export interface Word { text: string; start: number; end: number }
export interface Segment { start: number; end: number; region: number; box: Corners; text: string }
export interface Grounding {
  image: string; caption: string; score: number; beta: number; width: number; height: number;
  phrases: Phrase[]; unknown_words?: string[];
  words?: Word[]; boxes?: Corners[]; scores?: number[][]; prior?: number[][]; assignment?: number[];
  segments?: Segment[]; best?: number[]; regions?: number[];
}
export interface Described { text: string; box: Corners; score: number; captions: string[] }
export interface Seen { name: string; share: number; known: boolean }
export interface Description {
  image: string; width: number; height: number; caption: string; score: number; captions: string[]; regions: Described[]; seen: Seen[];
}
export interface Hit {
  key: string; score: number; plain: number; weak: boolean; box: Corners | null; width?: number; height?: number;
  words: (Word & { box: Corners; score: number })[]; phrases: Phrase[];
}
export interface SearchPage { hits: Hit[]; offset: number; more: boolean; weak_from: number | null; unknown_words: string[] }
export interface SentenceHit { key: string; caption: number; text: string; score: number }
export interface SimilarPage { images: Hit[]; sentences: SentenceHit[]; more: boolean }
export type State = "open" | "accepted" | "rejected" | "edited";
export interface Reviewed extends Phrase {
  id: string; image: string; split: string; caption: number; index: number; sentence: string; width: number; height: number;
  found: { span: [number, number]; box: Corners }; state: State; who: string; when: string; version: string;
}
export interface PicturePhrases {
  image: string; split: string; width: number; height: number; captions: string[]; matching: string[]; phrases: Reviewed[];
}
export interface PicturePage { total: number; phrases: number; offset: number; pictures: PicturePhrases[] }
export type Filter = Record<string, string | number | boolean | null>;
export interface Bar { low: number; high: number; count: number; open: number; filter: Filter }
export interface Progress {
  total: number; open: number; accepted: number; rejected: number; edited: number; people: Record<string, number>;
  pace: number; minutes_left: number | null;
}
export interface Undone { phrase: Reviewed | null; phrases: Reviewed[]; count: number; decision: string | null }
export interface Many { decision: string; count: number; phrases: Reviewed[]; changed: string[] }
export interface WorkspaceImage { key: string; split: string; width: number; height: number; captions: string[] }
export interface ImagePage { total: number; offset: number; images: WorkspaceImage[] }
export interface Limits {
  bytes: number; pixels: number; sentence: number; hits: number; regions: number; count: number; page: number; seconds: number;
}
export interface Info {
  name: string; has_workspace: boolean; has_captioner: boolean; version: string; limits: Limits;
  samples: { name: string; captions: string[] }[]; loading: { seconds: number } | null;
}
export interface Summary {
  counts: { images: number; captions: number; regions: number; phrases: number; skipped: number };
  splits: { split: string; images: number; captions: number; phrases: number }[];
  words: { text: string; count: number; filter: Filter }[];
  lengths: { words: number; count: number; filter: Filter }[];
  confidence: Bar[];
  review: Pick<Progress, "total" | "open" | "accepted" | "rejected" | "edited" | "people">;
  next: { level: string; what: string; command: string; job: string | null }[];
}
export interface MapOfPictures { total: number; explained: [number, number]; keys: string[]; splits: string[]; x: number[]; y: number[] }
export interface ExportFormat { name: string; coordinates: string; captions_only: boolean; classes: boolean; suffix: string }
export interface ExportCount { images: number; captions: number; phrases: number; reviewed: number; all_phrases: number }
export interface Option { name: string; kind: "int" | "float" | "bool" | "text" | "choice"; values?: string[] | null; default: unknown; help: string }
export interface Stage { stage: string; help: string; options: Option[] }
export interface Job {
  id: string; stage: string; options: Record<string, unknown>; command: string; state: "running" | "finished" | "failed" | "stopped";
  started: string; ended: string | null; seconds: number;
  progress: { what: string; done: number; total: number | null; rate: number; left: number | null } | null;
  curve: Record<string, unknown>[]; result: Record<string, unknown> | null; error: string;
}
export interface Jobs { jobs: Job[]; running: string | null; stages: Stage[] }
export interface Measure {
  measure: string; columns: string[];
  rows: { run: string; model: string; split: string; trained_on: boolean; values: (number | string | null)[]; file: string; settings: Record<string, unknown> }[];
}
export interface Results {
  tables: Record<string, unknown>[]; trainings: Record<string, Record<string, unknown>[]>; measures: Measure[];
  empty: { what: string; command: string } | null;
}
