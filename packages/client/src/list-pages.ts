/** Lists that brokers give page by page, as a whole. */

/**
 * Asks for one page behind the other.
 *
 * @param ask - With what the reply before has told; first with nothing. The time of the whole is
 *   its business.
 */
export async function allPages<Reply extends { readonly nextPage: string }>(
  ask: (page: string) => Promise<Reply>,
): Promise<Reply[]> {
  const replies: Reply[] = [];
  let page = "";
  do {
    const reply = await ask(page);
    replies.push(reply);
    // One that leads back to itself ends, too.
    page = reply.nextPage === page ? "" : reply.nextPage;
  } while (page !== "");
  return replies;
}
