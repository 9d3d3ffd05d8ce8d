/** The TCP connections of this process, watched from outside the code that opens them. */
import { Socket } from "node:net"

const sockets = new Set<Socket>()
const { connect } = Socket.prototype

/** Watches every connection that is opened from now on. */
export const watch = (): void => {
  Socket.prototype.connect = function (this: Socket, ...options: Array<unknown>) {
    sockets.add(this)
    this.once("close", () => sockets.delete(this))
    return (connect as (...options: Array<unknown>) => Socket).apply(this, options)
  } as typeof connect
}

/** Bytes that were read from all that are open. */
export const bytesRead = (): number => [...sockets].reduce((sum, socket) => sum + socket.bytesRead, 0)

/** Whether any of them is not read at the moment. */
export const isPaused = (): boolean => [...sockets].some((socket) => socket.isPaused())
