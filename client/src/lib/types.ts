/** Shapes of the API's answers, by the names that the page has for them. */
import type { components } from "../schema";

type Schemas = components["schemas"];
export type Corners = [number, number, number, number];

export type Phrase = Schemas["PhraseResponse"];
export type Grounding = Schemas["GroundingResponse"];
export type Described = Schemas["RegionResponse"];
export type Description = Schemas["DescriptionResponse"];
export type Hit = Schemas["HitResponse"];
export type SearchPage = Schemas["SearchResponse"];
export type SentenceHit = Schemas["SentenceHitResponse"];
export type SimilarPage = Schemas["SimilarResponse"];
export type Reviewed = Schemas["ReviewedPhraseResponse"];
export type PicturePhrases = Schemas["ReviewedPictureResponse"];
export type PicturePage = Schemas["PicturePageResponse"];
export type Bar = Schemas["ConfidenceBarResponse"];
export type Progress = Schemas["ProgressResponse"];
export type Acted = Schemas["ActedResponse"];
export type AddedImage = Schemas["AddedImageResponse"];
export type ImagePage = Schemas["ImagePageResponse"];
export type Info = Schemas["WorkspaceResponse"];
export type Summary = Schemas["SummaryResponse"];
export type MapOfPictures = Schemas["MapResponse"];
export type ExportFormat = Schemas["FormatResponse"];
export type ExportCount = Schemas["ExportCountResponse"];
export type Option = Schemas["OptionResponse"];
export type Stage = Schemas["StageResponse"];
export type Job = Schemas["JobResponse"];
export type Jobs = Schemas["JobsResponse"];
export type JobLog = Schemas["LogResponse"];
export type Measure = Schemas["MeasureResponse"];
export type Results = Schemas["ResultsResponse"];
/** A filter as query or body. */
export type Filter = Record<string, string | number | boolean | null | undefined>;
