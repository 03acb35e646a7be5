/** The control API under /control: what a test reads and decides. Answers are JSON. */

import type { Journal } from './journal.ts';
import { parseScenario } from './scenario.ts';

export interface ControlAnswer {
  readonly status: number;
  readonly body: unknown;
}

const ENDPOINTS = [
  'GET /control/requests',
  'GET /control/answers',
  'GET /control/answers/<id>',
  'GET /control/counts',
  'POST /control/release/<gate>',
  'POST /control/next?times=N (body: a scenario)',
  'POST /control/reset',
];

/**
 * Answers a control request.
 * @param url path and query below the server
 * @param body of POST /control/next: a scenario such as `status=529&retry-after=1`
 */
export function control(method: string, url: URL, body: string, journal: Journal): ControlAnswer {
  const [, , what = '', name = ''] = url.pathname.split('/').map(decodeURIComponent);
  switch (`${method} ${what}`) {
    case 'GET requests':
      return { status: 200, body: journal.requests };
    case 'GET counts':
      return { status: 200, body: { exchanges: journal.exchanges, open: journal.openAnswers } };
    case 'GET answers':
      return answers(journal, name);
    case 'POST release':
      journal.release(name);
      return { status: 200, body: { released: name } };
    case 'POST next':
      return queue(journal, body.trim(), url.searchParams.get('times') ?? '1');
    case 'POST reset':
      journal.reset();
      return { status: 200, body: {} };
    default:
      return { status: 404, body: { error: `No endpoint ${method} ${url.pathname}`, endpoints: ENDPOINTS } };
  }
}

function answers(journal: Journal, id: string): ControlAnswer {
  if (id === '') return { status: 200, body: [...journal.answers.values()] };
  const answer = journal.answers.get(id);
  return answer ? { status: 200, body: answer } : { status: 404, body: { error: `No answer "${id}"` } };
}

function queue(journal: Journal, scenario: string, times: string): ControlAnswer {
  if (!/^[1-9][0-9]{0,5}$/.test(times))
    return { status: 400, body: { error: `Cannot use times=${times}; use 1 or more` } };
  try {
    parseScenario(scenario);
  } catch (error) {
    return { status: 400, body: { error: error instanceof Error ? error.message : String(error) } };
  }
  journal.queue(scenario, Number(times));
  return { status: 200, body: { queued: scenario, times: Number(times) } };
}
