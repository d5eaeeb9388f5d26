// A subscriber in Node that misses nothing (docs/PROTOCOL.md): npm install zeromq@6
//   node complete.mjs tcp://127.0.0.1:5577 tcp://127.0.0.1:5578
// Prints every event once, in order per camera, those from before it came first; says what is lost for good.
import { Request, Subscriber } from "zeromq"

const [events = "tcp://127.0.0.1:5577", repair = "tcp://127.0.0.1:5578"] = process.argv.slice(2)
const HEARTBEAT = "gaitway-heartbeat/1"
const known = new Map() // camera -> {session, number}: the last event had

function lastHad(camera, session, fresh) {
  const had = known.get(camera)
  return had && !(fresh && had.session !== session) ? had.number : 0 // a fresh session counts from 1 again
}

function take(line) {
  process.stdout.write(line + "\n")
}

async function ask(request) {
  const socket = new Request({ linger: 0, sendTimeout: 2000, receiveTimeout: 2000 })
  try {
    socket.connect(repair)
    await socket.send(JSON.stringify(request))
    const [head, ...lines] = await socket.receive()
    return { ...JSON.parse(head), lines: lines.map(String) }
  } catch (error) {
    console.error(`no answer from ${repair}: ${error.message}`)
    return { ok: false, sequences: {}, lines: [] }
  } finally {
    socket.close()
  }
}

async function fetchRange(camera, first, last) {
  for (let more = true; more && first <= last; ) {
    const answer = await ask({ want: "range", camera, first, last })
    for (const line of answer.lines) {
      const { sequence } = JSON.parse(line)
      if (sequence > first) console.error(`lost: ${camera} ${first} to ${sequence - 1}`)
      first = sequence + 1
      take(line)
    }
    more = answer.more && answer.lines.length > 0
  }
  if (first <= last) console.error(`lost: ${camera} ${first} to ${last}`)
}

async function catchUp({ session, fresh, sequences }) {
  for (const [camera, number] of Object.entries(sequences)) {
    const had = lastHad(camera, session, fresh)
    if (had < number) {
      await fetchRange(camera, had + 1, number)
      known.set(camera, { session, number })
    }
  }
}

const socket = new Subscriber({ receiveHighWaterMark: 100000 })
socket.connect(events)
socket.subscribe("gaitway/1/", HEARTBEAT)
await catchUp(await ask({ want: "state" }))
for await (const [topic, second, line] of socket) {
  const about = JSON.parse(second)
  if (String(topic) === HEARTBEAT) {
    await catchUp(about)
    continue
  }
  const { camera, session, sequence, fresh } = about
  const had = lastHad(camera, session, fresh)
  if (sequence <= had) continue // it came twice
  await fetchRange(camera, had + 1, sequence - 1)
  known.set(camera, { session, number: sequence })
  take(String(line))
}
