/** What a dialect makes of one request: all bytes of the answer, ready to be played. */

export interface Question {
  /** Id of the answer, unique in this process. */
  readonly id: string;
  /** Deterministic: the same request has the same digest. */
  readonly digest: string;
  readonly model: string;
  readonly prompt: string;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly pieces: readonly string[];
  readonly inputTokens: number;
  /** Name of the tool that is called instead of saying anything. */
  readonly callTool: string | undefined;
  /** The call's arguments in the fragments in which they are streamed. */
  readonly callArguments: readonly string[];
}

export interface Answer {
  /** Whole SSE events, each with its blank line. */
  readonly events: readonly string[];
  /** The same answer when no stream was asked for. */
  readonly json: unknown;
  /** What stands for an error inside the stream. */
  readonly errorEvent: string;
}

export interface DialectScript {
  answer(question: Question): Answer;
  /** Body of a refusal. */
  errorBody(status: number, message: string, id: string): unknown;
  /** Response headers that the provider adds. */
  headers(id: string): Record<string, string>;
}

/** Fixed, so that the same request gets the same bytes. */
export const CREATED = 1_767_225_600;

export function sseEvent(data: unknown, name?: string): string {
  return `${name === undefined ? '' : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`;
}

/** Arguments of a call in the fragments in which a model would write them. */
export const CALL_ARGUMENTS = ['{"city":', '"Zürich"', '}'] as const;
