// SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause)
/*
 * The system calls of target threads: those on sockets are recorded, with head and tail of what they moved; all others
 * are counted by class and ride on the next record.
 */
#include "call_record.h"
#include "call_table.h"
#include "cpython.h"
#include "descriptor.h"
#include "golang.h"
#include "off_cpu.h"
#include "packed.h"
#include "payload.h"
#include "thread.h"
#include "unix_listeners.h"

const volatile __u32 ts_head_bytes = 4096;
const volatile __u32 ts_tail_bytes = 64;

/* The same where it is met for the first time, or was not told yet. */
static __noinline struct ts_known *meet_socket(const struct finished *call, __u32 pid)
{
	const struct sock *sk;
	struct ts_known *known;
	struct ts_first_sight sight = {};
	struct ts_positions positions = {};

	if (!call)
		return NULL;
	sk = call->descriptor.sk;
	known = ts_find_socket(sk, call->descriptor.inode);
	if (!known) {
		if (!ts_is_recorded(sk))
			return NULL;
		sight.inode = call->descriptor.inode;
		sight.time = call->now;
		sight.pid = pid;
		sight.tid = (__u32)bpf_get_current_pid_tgid();
		sight.fd = call->fd;
		sight.origin = call->operation == TS_OPERATION_ACCEPT	 ? TS_SOCKET_ACCEPT
			       : call->operation == TS_OPERATION_CONNECT ? TS_SOCKET_CONNECT
									 : TS_SOCKET_SEEN;
		sight.is_server = call->operation == TS_OPERATION_ACCEPT    ? 1
				  : call->operation == TS_OPERATION_CONNECT ? 0
				  : ts_is_tcp(sk)			    ? ts_has_listener(sk)
									    : 2;
		if (call->operation == TS_OPERATION_ACCEPT && ts_is_unix(sk))
			ts_add_unix_listener(sk); /* made by somebody else, and handed over */
		known = ts_add_socket(sk, &sight);
		if (!known)
			return NULL;
	} else if (!known->tcp && !known->inode) {
		known->inode = call->descriptor.inode; /* accepted */
	}
	if (!known->announced) {
		if (known->tcp && known->origin != TS_SOCKET_CONNECT)
			ts_read_positions(sk, &positions);
		ts_announce(sk, known, positions.unread, call->now);
	}
	return known;
}

/* The socket of a finished call, entered now if it is met for the first time. NULL: of a kind that is only counted. */
static __always_inline struct ts_known *socket_of_call(const struct finished *call, __u32 pid)
{
	struct ts_known *known = ts_find_tcp(call->descriptor.sk);

	return known && known->announced ? known : meet_socket(call, pid);
}

/* Where the bytes of a read or write begin in their stream, and the count goes on behind them. */
static __always_inline __u64 advance(const struct finished *call, struct ts_known *known, bool reads)
{
	__u64 moved = call->result > 0 ? call->result : 0;

	/* The call was under way when the socket became known: what it moved may or may not be in the position already.
	 */
	if (known->tcp && call->entered < known->since) {
		struct ts_positions now = {};

		ts_read_positions(call->descriptor.sk, &now);
		if (reads) {
			known->rx = now.rx;
			return now.rx - moved;
		}
		known->tx = now.tx;
		return now.tx - moved;
	}
	return __sync_fetch_and_add(reads ? &known->rx : &known->tx, moved);
}

#define MESSAGES_MAX 1024 /* UIO_MAXIOV: the kernel takes no more in one call */

/* recvmmsg, sendmmsg: the result counts messages; their lengths are in the array. Global: verified once. */
__noinline long sum_messages(__u64 messages, __u32 count)
{
	long sum = 0;

	for (__u32 i = 0; i < MESSAGES_MAX; i++) {
		const struct ts_message_of_many *message = (const struct ts_message_of_many *)messages + i;
		__u32 length = 0;

		if (i >= count)
			break;
		bpf_probe_read_user(&length, sizeof(length), &message->length);
		sum += length;
	}
	return sum;
}

/* From arguments to segments. False: nothing is to be captured (the flags say why). */
static __always_inline bool gather(struct finished *call, struct ts_scratch *scratch, bool stream)
{
	__u64 first_length = 0;
	__u32 receive_flags = 0;
	int failed = 0;

	scratch->segment_count = 0;
	scratch->capture = 0;
	switch (call->shape) {
	case TS_SHAPE_RECEIVE:
		receive_flags = call->arguments[3];
		/* fall through */
	case TS_SHAPE_READ:
	case TS_SHAPE_WRITE:
	case TS_SHAPE_SEND:
		ts_take_buffer(scratch, call->arguments[1], call->arguments[2]);
		first_length = call->arguments[2];
		break;
	case TS_SHAPE_READ_VECTOR:
	case TS_SHAPE_WRITE_VECTOR:
		failed = ts_take_vector(scratch, call->arguments[1], call->arguments[2]);
		break;
	case TS_SHAPE_RECEIVE_MESSAGE:
		receive_flags = call->arguments[2];
		/* fall through */
	case TS_SHAPE_SEND_MESSAGE:
		failed = ts_take_message(scratch, call->arguments[1]);
		break;
	case TS_SHAPE_RECEIVE_MESSAGES:
		receive_flags = call->arguments[3];
		/* fall through */
	case TS_SHAPE_SEND_MESSAGES:
		call->flags |= TS_CALL_MULTI_MESSAGE;
		if (call->result <= 0)
			break;
		if (!ts_take_messages(call->arguments[1], call->result)) {
			failed = ts_take_message(scratch, call->arguments[1]);
			scratch->capture = sum_messages(call->arguments[1], 1);
		}
		call->result = sum_messages(call->arguments[1], call->result);
		break;
	default:
		call->flags |= TS_CALL_ZERO_COPY;
		return true;
	}
	if (receive_flags & MSG_PEEK) {
		call->flags |= TS_CALL_PEEK;
		scratch->capture = 0;
		return true;
	}
	/* On a stream the bytes were thrown away unseen; on a datagram the result may be longer than what was copied.
	 */
	if (receive_flags & MSG_TRUNC) {
		scratch->capture = 0;
		if (stream || call->result <= 0 || !first_length)
			return true;
		scratch->capture = (__u64)call->result < first_length ? (__u64)call->result : first_length;
		return true;
	}
	if (!scratch->capture && call->result > 0)
		scratch->capture = call->result < 0x7fffffff ? call->result : 0x7fffffff;
	if (failed)
		call->flags |= TS_CALL_PAYLOAD_FAULT;
	return true;
}

static __always_inline bool is_error_queue(const struct finished *call)
{
	__u32 flags = call->shape == TS_SHAPE_RECEIVE		 ? call->arguments[3]
		      : call->shape == TS_SHAPE_RECEIVE_MESSAGE	 ? call->arguments[2]
		      : call->shape == TS_SHAPE_RECEIVE_MESSAGES ? call->arguments[3]
								 : 0;

	return flags & (MSG_ERRQUEUE | MSG_OOB); /* not bytes of the stream */
}

/* What the record of a read or write needs. Returns the socket's id; 0: it was only counted. */
static __always_inline __u64 finish_transfer(struct ts_thread *thread, struct ts_scratch *scratch,
					     struct finished *call, bool reads, __u64 *begin)
{
	struct ts_known *known;
	bool packed;

	call->call_class = reads ? TS_CLASS_SOCKET_READ : TS_CLASS_SOCKET_WRITE;
	call->operation = reads ? TS_OPERATION_READ : TS_OPERATION_WRITE;
	if ((reads && call->result == -EAGAIN) || is_error_queue(call)) {
		count_call(thread, call->call_class, call, 0);
		return 0;
	}
	known = socket_of_call(call, thread->pid);
	if (!known) {
		count_call(thread, call->call_class, call, call->result > 0 ? call->result : 0);
		return 0;
	}
	call->serves = known->is_server == 1;
	call->asks = known->is_server == 0;
	gather(call, scratch, known->tcp);
	packed = ts_may_want_pieces(&known->run, scratch->capture) &&
		 ts_wants_pieces(&scratch->look, 0, &known->run, reads, scratch->capture);
	scratch->head = ts_head_wanted(&known->run, reads, call->result > 0 ? call->result : 0);
	*begin = call->flags & TS_CALL_PEEK ? known->rx : advance(call, known, reads);
	if (packed) {
		scratch->head = ts_head_bytes;
		emit_pieces(scratch, call, known->id, *begin);
	}
	return known->id;
}

/* connect, accept, shutdown; close with the socket that it had at its entry. Returns as finish_transfer. */
static __noinline __u64 finish_setup(struct ts_thread *thread, struct finished *call)
{
	struct ts_known *known;
	__u64 id;

	if (!thread || !call)
		return 0;
	if (call->operation == TS_OPERATION_CLOSE) {
		id = thread->held;
	} else {
		known = meet_socket(call, thread->pid);
		id = known ? known->id : 0;
	}
	if (!id)
		count_call(thread, TS_CLASS_SOCKET_SETUP, call, 0);
	return id;
}

/* listen: whoever connects from now on is seen at the handshake. */
static __noinline int start_listening(struct ts_thread *thread, const struct finished *call)
{
	const struct sock *sk;
	struct ts_known *known;
	struct ts_first_sight sight = {};

	if (!thread || !call || call->result)
		return 0;
	sk = call->descriptor.sk;
	if (!ts_is_recorded(sk))
		return 0;
	known = ts_find_socket(sk, call->descriptor.inode);
	if (known && known->origin == TS_SOCKET_LISTEN)
		return 0; /* listen again: only the backlog changes */
	sight.inode = call->descriptor.inode;
	sight.time = call->now;
	sight.pid = thread->pid;
	sight.tid = (__u32)bpf_get_current_pid_tgid();
	sight.fd = call->fd;
	sight.origin = TS_SOCKET_LISTEN;
	sight.is_server = 1;
	if (ts_is_tcp(sk))
		ts_add_listener(sk);
	else if (ts_is_unix(sk))
		ts_add_unix_listener(sk);
	known = ts_add_socket(sk, &sight);
	if (known)
		ts_announce(sk, known, 0, call->now);
	return 0;
}

/* A socket is known before the kernel connects it, so that the end of a blocking handshake is seen. */
static __noinline int before_connect(const struct ts_descriptor *descriptor, __u32 pid, __s32 fd)
{
	const struct sock *sk;
	struct ts_known *known;
	struct ts_first_sight sight = {};

	if (!descriptor || !descriptor->sk)
		return 0;
	sk = descriptor->sk;
	if (!ts_is_recorded(sk))
		return 0;
	known = ts_find_socket(sk, descriptor->inode);
	/* TCP: connect on a socket that is connecting or connected only asks how it stands. */
	if (known && known->tcp && BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_CLOSE)
		return 0;
	sight.inode = descriptor->inode;
	sight.time = bpf_ktime_get_ns();
	sight.pid = pid;
	sight.tid = (__u32)bpf_get_current_pid_tgid();
	sight.fd = fd;
	sight.origin = TS_SOCKET_CONNECT;
	ts_add_socket(sk, &sight);
	return 0;
}

/* Numbers that name no call of x86-64 (those of 32-bit programs too) are counted as other. */
static __always_inline long number_of_call(struct task_struct *task, long number, const bool btf)
{
	if (number < 0 || number >= TS_CALL_NUMBERS || TS_GET(btf, task, thread_info.status) & TS_COMPAT)
		return TS_CALL_NUMBERS - 1;
	return number;
}

/* Asked of every call of a target before anything is looked up, at its entry as at its end. */
static __always_inline bool is_unseen(const struct ts_call_row *row, struct pt_regs *regs, const bool btf)
{
	if (row->shape == TS_SHAPE_UNSEEN)
		return true;
	return row->shape == TS_SHAPE_POLL && TS_GET(btf, regs, si) == 1 && !(__s32)TS_GET(btf, regs, dx);
}

static __always_inline int on_enter(struct pt_regs *regs, long number, const bool btf)
{
	struct task_struct *task = ts_current(btf);
	struct ts_thread *thread;
	const struct ts_call_row *row;
	__u64 now;
	__s32 fd;

	if (!ts_may_be_target(task, btf))
		return 0;
	number = number_of_call(task, number, btf);
	row = &ts_call_rows[number & (TS_CALL_NUMBERS - 1)];
	if (is_unseen(row, regs, btf))
		return 0;
	thread = ts_thread_of(task, btf);
	if (!thread)
		return 0;
	ts_runs(thread);
	now = bpf_ktime_get_ns();
	/* Earlier than the call that may send in the new context, which stands at its entry, on whatever CPU it ends.
	 */
	if (thread->python_fresh)
		ts_python_settle(thread, now - 1);
	thread->syscall = number;
	thread->fd = fd = row->takes_fd ? (__s32)TS_GET(btf, regs, di) : -1;
	thread->held = 0;
	if (row->shape == TS_SHAPE_CONNECT) {
		struct ts_descriptor found = ts_descriptor_of(task, fd, btf);

		before_connect(&found, thread->pid, fd);
	} else if (row->shape == TS_SHAPE_CLOSE) {
		struct ts_descriptor found = ts_descriptor_of(task, fd, btf);
		struct ts_known *known = found.sk ? ts_find_socket(found.sk, found.inode) : NULL;

		thread->held = known ? known->id : 0;
	} else if (row->shape == TS_SHAPE_BREAK) {
		thread->held = BPF_CORE_READ(task, mm, brk);
	}
	thread->entered = now;
	return 0;
}

/* Calls whose first descriptor is no socket, or that have none. */
static __always_inline void finish_counted(struct ts_thread *thread, struct finished *call)
{
	__u64 length = call->arguments[1];
	long grown;

	switch (call->shape) {
	case TS_SHAPE_MAP:
		count_call(thread, call->call_class, call, call->result < 0 && call->result > -4096 ? 0 : length);
		break;
	case TS_SHAPE_ADVISE:
		if (call->arguments[2] == MADV_DONTNEED || call->arguments[2] == MADV_FREE)
			count_call(thread, TS_CLASS_MEMORY_UNMAP, call, call->result ? 0 : length);
		else
			count_call(thread, TS_CLASS_OTHER, call, 0);
		break;
	case TS_SHAPE_BREAK:
		grown = thread->held ? call->result - (long)thread->held : 0;
		if (grown >= 0)
			count_call(thread, TS_CLASS_MEMORY_MAP, call, grown);
		else
			count_call(thread, TS_CLASS_MEMORY_UNMAP, call, -grown);
		break;
	case TS_SHAPE_COUNTED:
	case TS_SHAPE_CLOSE:
		count_call(thread, call->call_class, call, 0);
		break;
	default:
		count_call(thread, call->call_class, call, call->result > 0 ? call->result : 0);
	}
}

/* Which socket the call was on, if any, and which way bytes went. 0: no socket. */
static __always_inline __u8 find_socket(struct finished *call, struct task_struct *task, const bool btf)
{
	bool reads = call->shape <= TS_SHAPE_RECEIVE_MESSAGES;

	if (call->shape == TS_SHAPE_ACCEPT) {
		if (call->result < 0)
			return 0;
		call->fd = call->result;
	}
	call->descriptor = ts_descriptor_of(task, call->fd, btf);
	if (call->shape == TS_SHAPE_SPLICE) {
		reads = true;
		if (!call->descriptor.sk) {
			reads = false;
			call->fd = call->arguments[2];
			call->descriptor = ts_descriptor_of(task, call->fd, btf);
		}
	}
	if (!call->descriptor.sk)
		return 0;
	return reads ? TS_OPERATION_READ : TS_OPERATION_WRITE;
}

/* The call is on a socket that bytes go through or that it changes. Returns as finish_transfer. */
static __always_inline __u64 finish_on_socket(struct ts_thread *thread, struct ts_scratch *scratch,
					      struct finished *call, bool reads, __u64 *begin)
{
	switch (call->shape) {
	case TS_SHAPE_CONNECT:
		call->operation = TS_OPERATION_CONNECT;
		return finish_setup(thread, call);
	case TS_SHAPE_ACCEPT:
		call->operation = TS_OPERATION_ACCEPT;
		return finish_setup(thread, call);
	case TS_SHAPE_SHUTDOWN:
		call->operation = TS_OPERATION_SHUTDOWN;
		return finish_setup(thread, call);
	case TS_SHAPE_LISTEN:
		start_listening(thread, call);
		count_call(thread, TS_CLASS_SOCKET_SETUP, call, 0);
		return 0;
	}
	return finish_transfer(thread, scratch, call, reads, begin);
}

static __always_inline int finish_call(struct ts_thread *thread, struct finished *call, struct task_struct *task,
				       const bool btf)
{
	struct ts_scratch *scratch = ts_scratch_of_cpu();
	__u64 socket, begin = 0;
	__u8 way;

	if (!scratch)
		return 0;
	scratch->capture = 0;
	if (call->shape == TS_SHAPE_CLOSE) {
		if (!thread->held) {
			finish_counted(thread, call);
			return 0;
		}
		call->operation = TS_OPERATION_CLOSE;
		socket = finish_setup(thread, call);
	} else {
		way = find_socket(call, task, btf);
		if (!way) {
			finish_counted(thread, call);
			return 0;
		}
		socket = finish_on_socket(thread, scratch, call, way == TS_OPERATION_READ, &begin);
	}
	return socket ? emit_call(thread, scratch, call, socket, begin, task, btf) : 0;
}

static __always_inline int on_return(struct pt_regs *regs, long result, const bool btf)
{
	struct task_struct *task = ts_current(btf);
	struct ts_thread *thread;
	const struct ts_call_row *row;
	struct finished call = {};
	long number;

	if (!ts_may_be_target(task, btf))
		return 0;
	number = number_of_call(task, (long)TS_GET(btf, regs, orig_ax), btf);
	if (is_unseen(&ts_call_rows[number & (TS_CALL_NUMBERS - 1)], regs, btf))
		return 0;
	thread = ts_thread_of(task, btf);
	if (!thread)
		return 0;
	ts_runs(thread);
	/* Without an entry, the call was under way when the thread became a target; its arguments are in the registers
	 * still. */
	number = thread->entered ? thread->syscall : (long)TS_GET(btf, regs, orig_ax);
	call.entered = thread->entered ? thread->entered : thread->since;
	thread->entered = 0;
	thread->syscall = -1;
	if (number < 0 || number >= TS_CALL_NUMBERS)
		return 0; /* rt_sigreturn: nothing is known of the call that it ends */
	row = &ts_call_rows[number & (TS_CALL_NUMBERS - 1)];
	call.now = bpf_ktime_get_ns();
	call.number = number;
	call.shape = row->shape;
	call.call_class = row->call_class;
	/* -ERESTARTSYS and its kin (512 … 516) never reach the program: it sees EINTR, or the call begins anew. */
	call.result = result <= -512 && result >= -516 ? -EINTR : result;
	if (row->shape == TS_SHAPE_COUNTED || row->shape == TS_SHAPE_POLL) {
		count_call(thread, call.call_class, &call, 0);
		thread->fd = -1;
		return 0;
	}
	call.fd = row->takes_fd ? (__s32)TS_GET(btf, regs, di) : -1;
	call.arguments[0] = TS_GET(btf, regs, di);
	call.arguments[1] = TS_GET(btf, regs, si);
	call.arguments[2] = TS_GET(btf, regs, dx);
	call.arguments[3] = TS_GET(btf, regs, r10);
	thread->fd = -1;
	if (row->shape == TS_SHAPE_COUNTED_BYTES || row->shape >= TS_SHAPE_MAP) {
		finish_counted(thread, &call);
		return 0;
	}
	return finish_call(thread, &call, task, btf);
}

TS_PROBE(sys_enter, on_enter, (struct pt_regs *)ctx[0], (long)ctx[1])
TS_PROBE(sys_exit, on_return, (struct pt_regs *)ctx[0], (long)ctx[1])
