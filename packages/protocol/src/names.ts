/** What topics and groups may be called: RocketMQ's limits. */

const NAME = /^[%|a-zA-Z0-9_-]+$/u;
const TOPIC_NAME_MAX = 127;
const GROUP_NAME_MAX = 120;

/** @returns what is wrong with it. */
export function topicNameProblem(name: string): string | undefined {
  return nameProblem(name, TOPIC_NAME_MAX);
}

/** Of a consumer group or a producer group. */
export function groupNameProblem(name: string): string | undefined {
  return nameProblem(name, GROUP_NAME_MAX);
}

function nameProblem(name: string, lengthMax: number): string | undefined {
  if (name.length < 1 || name.length > lengthMax)
    return `${name.length} characters are not in [1, ${lengthMax}]`;
  return NAME.test(name) ? undefined : `"${name}" has others than letters, digits, %, |, _ and -`;
}
