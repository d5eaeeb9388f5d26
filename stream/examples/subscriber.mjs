// A subscriber in ten lines of Node: npm install zeromq@6
import { Subscriber } from "zeromq"

const socket = new Subscriber()
socket.connect(process.argv[2] ?? "tcp://127.0.0.1:5577")
socket.subscribe("gaitway/1/") // one camera: gaitway/1/door/
for await (const [topic, envelope, line] of socket) {
  const event = JSON.parse(line)
  console.log(event.camera, event.kind, event.identity?.name ?? event.identity?.answer ?? "")
}
