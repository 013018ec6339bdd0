/** Why leadership cannot go to a node: said to whoever asked, who then knows what to do first. */

import { type Configuration, isVoter } from "@quorumlog/raft";

/**
 * @param leaderId - As far as it is known here.
 * @returns a sentence; of a voter whose leader refuses it, that it is not fit to lead.
 */
export function transferRefusal(
  nodeId: number,
  configuration: Configuration,
  leaderId: number | undefined,
): string {
  const { voters, learners } = configuration;
  const ids = voters.map(({ id }) => id).join(", ");
  if (learners.some(({ id }) => id === nodeId))
    return `node ${nodeId} is a learner, and voters alone lead: they are ${ids}`;
  if (!isVoter(configuration, nodeId))
    return `node ${nodeId} is no member of this group, whose voters are ${ids}`;
  if (leaderId === undefined)
    return `nobody leads who could hand over: most of the voters ${ids} have to be up, and to meet`;
  return `node ${nodeId} has not caught up since its machine went down: wait until it has`;
}
