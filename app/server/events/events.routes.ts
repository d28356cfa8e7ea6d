import type { FastifyInstance } from 'fastify'
import { refuse } from 'safepoint'
import { documented, eventStreamResponse, type StreamEvent } from 'safepoint/fastify'
import { z } from 'zod'
import { identityOf, requireAccount } from '../accounts/authenticate.ts'
import { jsonSchema, parseRequest } from '../http.ts'
import type { Pantry } from '../pantry.ts'
import { accountStream } from './account-stream.ts'
import { readTopic, topicKinds, type OpenedTopic, type Topic } from './event-topics.ts'
import { mergeStreams } from './merge-streams.ts'

/** Topics of one stream. */
export const topicLimit = 20

const query = z.strictObject({
  topics: z
    .string()
    .min(1)
    .max(8000)
    .describe('`cart`, `operation:<key>`, `order:<id>`, with commas between them; keys are percent-encoded.'),
})

export function eventsRoutes(app: FastifyInstance, pantry: Pantry): void {
  app.get(
    '/api/events',
    {
      ...documented({
        summary: 'Everything an account watches, in one stream of server-sent events',
        description: `At most ${topicLimit} topics. Each event's type is its topic as it was asked for, and its data those of the resource's own stream with \`topic\` besides; the first one of a topic tells how it stands now. An \`end\` event \`{topic, code?}\` says that nothing more comes of a topic: an operation is over, or (with a \`code\`) there is no such thing of this account. The stream ends when all topics have, and with the access token.`,
        tags: ['operations'],
        querystring: jsonSchema(query, 'input'),
        response: eventStreamResponse,
      }),
      onRequest: requireAccount,
      exposeHeadRoute: false,
    },
    (request, reply) => {
      const identity = identityOf(request)
      const topics = readTopics(parseRequest(query, request.query).topics)
      return accountStream(reply, identity, async () => {
        const { accountId } = identity
        const opened = await Promise.all(
          topics.map(async (topic) => ({
            topic: topic.name,
            stream: await topicKinds[topic.kind].open(pantry, { accountId, id: topic.id }),
          })),
        )
        return (signal) => mergeStreams(opened.map((one) => eventsOf(one, signal)))
      })
    },
  )
}

function readTopics(text: string): Topic[] {
  const names = [...new Set(text.split(','))]
  if (names.length > topicLimit) throw invalid([`At most ${topicLimit} topics.`])
  const wrong = names.filter((name) => !readTopic(name))
  if (wrong.length > 0) throw invalid(wrong.map((name) => `${JSON.stringify(name.slice(0, 100))} is no topic.`))
  return names.map((name) => readTopic(name)!)
}

const invalid = (messages: readonly string[]) =>
  refuse('input_invalid', 'The input is not valid.', {
    details: { errors: messages.map((message) => ({ path: 'topics', message })) },
  })

async function* eventsOf(
  { topic, stream }: { readonly topic: string; readonly stream: OpenedTopic },
  signal: AbortSignal,
): AsyncGenerator<StreamEvent> {
  if ('unknown' in stream) return yield { event: 'end', data: { topic, code: stream.unknown } }
  for await (const data of stream(signal)) yield { event: topic, data: { topic, ...data } }
  if (!signal.aborted) yield { event: 'end', data: { topic } }
}
