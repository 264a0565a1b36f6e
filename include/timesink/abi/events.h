/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
/*
 * The event ABI: every record that the kernel side writes into the ring buffers, that live/ adds, and that a recording
 * stores. Shared by bpf/ (C) and userspace/ (C++); the only headers that are.
 *
 * Rules
 *  - Fixed width, little endian, natural alignment, no implicit padding; sizes asserted on both sides.
 *  - A record starts with struct ts_event_head; head.size is the whole record, a multiple of 8. Structs never grow: a
 * newer minor version uses reserved fields or adds kinds, and a decoder skips kinds that it does not know.
 *  - Times are CLOCK_MONOTONIC nanoseconds (bpf_ktime_get_ns). Thread and process ids are those of the initial pid
 * namespace.
 *  - head.sequence counts every record *attempted* on that CPU, so a failed reserve leaves a gap that the analyzer
 * sees.
 */
#ifndef TIMESINK_ABI_EVENTS_H
#define TIMESINK_ABI_EVENTS_H

#ifdef __cplusplus
#include <cstdint>
/* The kernel's own names, for the one header that both sides read. NOLINTBEGIN(clang-diagnostic-reserved-identifier) */
using __u8 = std::uint8_t;
using __u16 = std::uint16_t;
using __u32 = std::uint32_t;
using __s16 = std::int16_t;
using __s32 = std::int32_t;
/* NOLINTEND(clang-diagnostic-reserved-identifier) */
#define TS_ASSERT_SIZE(type, bytes) static_assert(sizeof(type) == (bytes), #type " has an unexpected size")
#else
#define TS_ASSERT_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " has an unexpected size")
#endif
/* 64-bit fields: the kernel's __u64 is unsigned long long, C++'s uint64_t is unsigned long; same size, spelled once
 * here. */
#ifdef __cplusplus
#define TS_U64 std::uint64_t
#define TS_S64 std::int64_t
#else
#define TS_U64 __u64
#define TS_S64 __s64
#endif

#define TS_ABI_MAJOR 1
#define TS_ABI_MINOR                                                                                                   \
	8 /* 1: TS_CALL_CONTEXT, TS_EVENT_LINEAGE; 2: ts_off_cpu.fd of futex; 3: TS_EVENT_PLAINTEXT;                   \
	   * 4: TS_EVENT_LOOP_PHASE; 5: TS_EVENT_ENGINE_NAME, TS_EVENT_ENGINE_CALL;                                    \
	   * 6: ts_socket_state.error, the context of a connect; 7: TS_EVENT_PAYLOAD,                                  \
	   * TS_PLAINTEXT_SOCKET; 8: TS_PAYLOAD_CLEAR */

/*
 * Names of contexts that are goroutines, which serve one unit of work after another: this bit and the goroutine's
 * number (goid), which is never given again. Where one is made its number is not known yet: it has a name by the
 * address of its g then, which is used again.
 */
#define TS_CONTEXT_GOROUTINE (1ull << 63)
#define TS_CONTEXT_BIRTH (1ull << 62)

enum ts_event_kind {
	/* from the kernel */
	TS_EVENT_CALL = 1,	   /* struct ts_call: a system call on a socket */
	TS_EVENT_OFF_CPU = 2,	   /* struct ts_off_cpu: a thread was off the CPU and is back */
	TS_EVENT_ARRIVAL = 3,	   /* struct ts_arrival: bytes reached a kernel socket */
	TS_EVENT_SOCKET = 4,	   /* struct ts_socket: a socket became known */
	TS_EVENT_SOCKET_STATE = 5, /* struct ts_socket_state: TCP state change of a known socket */
	TS_EVENT_RETRANSMIT = 6,   /* struct ts_retransmit */
	TS_EVENT_TASK = 7,	   /* struct ts_task: fork, exec, exit of a target thread */
	TS_EVENT_LOSS = 8,	   /* struct ts_loss: records of this CPU did not fit into its ring */
	TS_EVENT_LINEAGE = 9,	   /* struct ts_lineage: a context of a language runtime was made (1.1) */
	TS_EVENT_LOOP_PHASE = 12,  /* struct ts_loop_phase: what an event loop does next (1.4) */
	TS_EVENT_PLAINTEXT = 14,   /* struct ts_plaintext: bytes that a TLS library takes or gives in the clear (1.3) */
	TS_EVENT_ENGINE_NAME =
		15, /* struct ts_engine_name: an embedded database was opened, a statement prepared (1.5) */
	TS_EVENT_ENGINE_CALL = 16, /* struct ts_engine_call: an execution in the process began, or is over (1.5) */
	TS_EVENT_PAYLOAD = 17,	   /* struct ts_payload: more of what a call moved, ahead of its TS_EVENT_CALL (1.7) */
	/* from live/ */
	TS_EVENT_WATERMARK = 64, /* struct ts_watermark: everything older than head.time has been delivered */
	TS_EVENT_FACT = 65,	 /* struct ts_fact: something the analysis must know, as JSON */
};

struct ts_event_head {
	__u16 kind;	/* enum ts_event_kind */
	__u16 size;	/* bytes of the whole record, head and variable part included; a multiple of 8 */
	__u16 cpu;	/* where it was written; TS_CPU_USERSPACE for records of live/ */
	__u16 reserved; /* 0 */
	__u32 sequence; /* per CPU, counts attempts; see above */
	__u32 tid;	/* the thread that the record is about; 0: none */
	TS_U64 time;	/* ns; see each kind */
};
TS_ASSERT_SIZE(struct ts_event_head, 24);
#define TS_CPU_USERSPACE 0xffff

/*
 * Classes of system calls. Calls that have no record of their own are counted by class (struct ts_call_count), but for
 * those that neither wait nor move anything, which are not looked at: getpid and its kin, the signal mask, poll of one
 * descriptor without time to wait.
 */
enum ts_call_class {
	TS_CLASS_SOCKET_READ = 0,   /* read, recv*, splice from a socket */
	TS_CLASS_SOCKET_WRITE = 1,  /* write, send*, sendfile, splice to a socket */
	TS_CLASS_SOCKET_SETUP = 2,  /* socket, connect, accept, close, shutdown, bind, listen, setsockopt */
	TS_CLASS_FILE_READ = 3,	    /* read, pread*, readv of what is not a socket (files, pipes, eventfd) */
	TS_CLASS_FILE_WRITE = 4,    /* write, pwrite*, writev of what is not a socket */
	TS_CLASS_FILE_SYNC = 5,	    /* fsync, fdatasync, sync_file_range, msync */
	TS_CLASS_FILE_OPEN = 6,	    /* open*, close of a file, stat*, dup* */
	TS_CLASS_POLL = 7,	    /* epoll_*, poll, ppoll, select, pselect6 */
	TS_CLASS_FUTEX = 8,	    /* futex */
	TS_CLASS_SLEEP = 9,	    /* nanosleep, clock_nanosleep */
	TS_CLASS_MEMORY_MAP = 10,   /* mmap, brk upward: bytes = mapped */
	TS_CLASS_MEMORY_UNMAP = 11, /* munmap, brk downward, madvise(DONTNEED|FREE): bytes = given back */
	TS_CLASS_TASK = 12,	    /* clone*, fork, exec*, exit, wait* */
	TS_CLASS_IO_URING = 13,	    /* io_uring_enter: seen, not decoded */
	TS_CLASS_OTHER = 14,
	TS_CLASS_COUNT = 15,
};

/* What a thread did since its previous TS_EVENT_CALL record in calls that have no record of their own, one per class
 * used. */
struct ts_call_count {
	__u8 call_class; /* enum ts_call_class */
	__u8 reserved;
	__u16 errors;
	__u32 calls;
	TS_U64 nanoseconds; /* inside these calls, waiting included */
	TS_U64 bytes;
};
TS_ASSERT_SIZE(struct ts_call_count, 24);

enum ts_operation {
	TS_OPERATION_READ = 1,	  /* bytes taken out of the socket; result 0 is the end of the stream */
	TS_OPERATION_WRITE = 2,	  /* bytes accepted by the kernel */
	TS_OPERATION_CONNECT = 3, /* result 0, -EINPROGRESS, or the error */
	TS_OPERATION_ACCEPT = 4,  /* fd and socket are those of the new connection */
	TS_OPERATION_CLOSE = 5,
	TS_OPERATION_SHUTDOWN = 6,
};

enum ts_call_flag {
	TS_CALL_PEEK = 1 << 0,		/* MSG_PEEK: nothing was consumed; no payload, no position */
	TS_CALL_PAYLOAD_FAULT = 1 << 1, /* user memory could not be read: fewer bytes than wanted were captured */
	TS_CALL_ZERO_COPY = 1 << 2,	/* sendfile, splice: no user memory, nothing captured */
	TS_CALL_MULTI_MESSAGE = 1 << 3, /* recvmmsg, sendmmsg: all messages' bytes counted, the first ones' captured */
	TS_CALL_CONTEXT = 1 << 4,	/* the record's last 8 bytes are the context current on the thread (1.1) */
};

/*
 * Written at the exit of a system call on a socket by a target thread. A read that found nothing (-EAGAIN) is counted
 * by class and not written; a write that found no room is written, for it marks a slow reader. Followed by: counts x
 * struct ts_call_count, head_bytes payload bytes (the first), tail_bytes payload bytes (the last), then zeros up to a
 * multiple of 8, then, with TS_CALL_CONTEXT, 64 bits that name the context (a reader of 1.0 passes over them).
 * head_bytes + tail_bytes <= result; what lies between was not captured.
 *
 * A context is what a language runtime itself says a thread is working for: for CPython the address of the
 * contextvars.Context object current on the thread, of which every asyncio task has its own. Addresses are used again
 * once an object is gone: struct ts_lineage says when that happens. The lowest bit is set where it would not be said (a
 * context that no task holds): the same value may stand for another one later. Never 0. For Go it is the goroutine that
 * makes the call (TS_CONTEXT_GOROUTINE); on a connection of net/http's client, which writes from a goroutine of its
 * own, the one that asked for the request that is written.
 */
struct ts_call {
	struct ts_event_head head; /* time: exit of the call */
	TS_U64 entered;		   /* ns */
	TS_S64 result;		   /* bytes, 0, or -errno */
	TS_U64 socket;		   /* id, unique within the run */
	TS_U64 stream_begin;   /* READ, WRITE: position, in that direction, of the first byte moved; see ts_socket */
	__u32 pid;	       /* process (thread group) */
	__u32 thread_sequence; /* counts this thread's TS_EVENT_CALL and TS_EVENT_OFF_CPU records, attempted ones too */
	__s32 fd;
	__u32 minor_faults; /* of this thread since its previous TS_EVENT_CALL record (task_struct.min_flt) */
	__u32 major_faults;
	__u16 syscall;	/* number on this architecture */
	__u8 operation; /* enum ts_operation */
	__u8 flags;	/* enum ts_call_flag */
	__u16 head_bytes;
	__u16 tail_bytes;
	__u8 counts;
	__u8 reserved[3];
};
TS_ASSERT_SIZE(struct ts_call, 88);

/*
 * Written ahead of the TS_EVENT_CALL of a call that moved many messages at once, in ascending order of position: bytes
 * between those that the call's own record has of its begin and of its end. Followed by `bytes` payload bytes, then
 * zeros up to a multiple of 8. Pieces that could not be written are missing: there is a gap then. With
 * TS_PAYLOAD_CLEAR the same of the TS_EVENT_PLAINTEXT that the thread writes next.
 */
struct ts_payload {
	struct ts_event_head head; /* time: exit of the call */
	TS_U64 entered;		   /* as of the call */
	TS_U64 socket;		   /* TS_PAYLOAD_CLEAR: ts_plaintext.library */
	TS_U64 position;	   /* of the first byte, in its direction; TS_PAYLOAD_CLEAR: in what is given at once */
	__u32 pid;
	__u16 bytes;
	__u8 operation; /* TS_OPERATION_READ, TS_OPERATION_WRITE */
	__u8 flags;	/* TS_PAYLOAD_CLEAR */
};
TS_ASSERT_SIZE(struct ts_payload, 56);
#define TS_PAYLOAD_CLEAR (1 << 0) /* of what a TLS library is given (1.8) */

enum ts_off_cpu_state {
	TS_OFF_PREEMPTED = 0,	    /* still runnable: woken == off */
	TS_OFF_INTERRUPTIBLE = 1,   /* TASK_INTERRUPTIBLE */
	TS_OFF_UNINTERRUPTIBLE = 2, /* TASK_UNINTERRUPTIBLE, TASK_KILLABLE */
	TS_OFF_OTHER = 3,	    /* stopped, traced, dead, parked */
};
enum ts_off_cpu_flag {
	TS_OFF_IOWAIT = 1 << 0, /* task_struct.in_iowait: block I/O */
};

/*
 * Written when a target thread is put back on a CPU: [off, woken) it was blocked, [woken, head.time) it was runnable.
 * A thread's records never overlap, so its CPU time is what lies between them.
 */
struct ts_off_cpu {
	struct ts_event_head head; /* time: on the CPU again */
	TS_U64 off;
	TS_U64 woken; /* == off when preempted */
	__u32 pid;
	__u32 thread_sequence;
	__u32 waker_tid; /* thread on whose CPU the wake-up ran; may be a mere bystander of an interrupt. 0: unknown */
	__s16 waker_syscall; /* the call that this thread was in when it woke us, if it is a target thread; else -1 */
	__s16 syscall;	     /* the call that we were in; -1: none (user mode: a page fault when blocked) */
	__s32 fd;	     /* first argument of that call where it is a descriptor; of futex, the low 32 bits of the
			      * address waited at (1.2; earlier -1); else -1 */
	__u8 state;	     /* enum ts_off_cpu_state */
	__u8 flags;	     /* enum ts_off_cpu_flag */
	__u16 reserved;
};
TS_ASSERT_SIZE(struct ts_off_cpu, 64);

/* Written when bytes reach the kernel socket, before the server reads them. One per sk_data_ready call, not per
 * segment. */
struct ts_arrival {
	struct ts_event_head head; /* tid 0 */
	TS_U64 socket;
	TS_U64 stream_end; /* position after the last byte received so far; TS_POSITION_UNKNOWN for unix sockets */
};
TS_ASSERT_SIZE(struct ts_arrival, 40);
#define TS_POSITION_UNKNOWN (~0ull)

enum ts_socket_origin {
	TS_SOCKET_CONNECT = 1, /* the target called connect */
	TS_SOCKET_PASSIVE =
		2,	      /* the kernel completed a handshake for a target's listening socket; accept comes later */
	TS_SOCKET_ACCEPT = 3, /* first seen when accepted (unix; or the handshake was before the attach) */
	TS_SOCKET_EXISTING = 4, /* open before the attach, found in the descriptor tables */
	TS_SOCKET_SEEN = 5,	/* first seen in a read or write (passed over a unix socket, inherited, socketpair) */
	TS_SOCKET_LISTEN = 6,	/* a listening socket of a target: its local address decides who is the server */
};

/*
 * A socket became known. Positions count bytes per direction, as the target sees it: rx is what it reads, tx what it
 * writes. Both are absolute for TCP (tcp_sock.bytes_received less what is unread; bytes_acked plus what is in flight),
 * so that they survive losses and a late attach; for others they start at 0 with this record.
 */
struct ts_socket {
	struct ts_event_head head; /* tid: the thread that made it known, 0 in softirq context */
	TS_U64 socket;
	TS_U64 rx_position;	 /* of the next byte to be read */
	TS_U64 tx_position;	 /* of the next byte to be written */
	TS_U64 unread;		 /* bytes in the kernel, not yet read: they arrived before this record */
	__u32 pid;		 /* 0 where unknown */
	__s32 fd;		 /* -1 where unknown */
	__u32 network_namespace; /* inode number */
	__u16 family;		 /* AF_INET, AF_INET6, AF_UNIX */
	__u8 type;		 /* SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET */
	__u8 origin;		 /* enum ts_socket_origin */
	__u16 local_port;	 /* host order */
	__u16 remote_port;
	__u8 is_server; /* 1: the accepting end, 0: the connecting end, 2: unknown */
	__u8 reserved[3];
	__u8 local_address[16]; /* network order; IPv4 in the first four */
	__u8 remote_address[16];
	char unix_path[108]; /* of the server's end; a leading NUL marks an abstract name */
	__u8 reserved2[4];
};
TS_ASSERT_SIZE(struct ts_socket, 224);

/* A TCP state change (inet_sock_set_state) of a known socket; numbers as in the kernel's enum (TCP_ESTABLISHED = 1, …).
 */
struct ts_socket_state {
	struct ts_event_head head; /* tid 0 */
	TS_U64 socket;
	__u8 old_state;
	__u8 new_state;
	__u16 error; /* TCP_CLOSE: why the kernel closed it, an errno (ECONNREFUSED, ETIMEDOUT); 0: not told (1.6) */
	__u8 reserved[4];
};
TS_ASSERT_SIZE(struct ts_socket_state, 40);

struct ts_retransmit {
	struct ts_event_head head; /* tid 0 */
	TS_U64 socket;
};
TS_ASSERT_SIZE(struct ts_retransmit, 32);

enum ts_task_operation { TS_TASK_FORK = 1, TS_TASK_EXEC = 2, TS_TASK_EXIT = 3 };

/* head.tid: the thread itself (the new one for FORK). Threads that were there before the attach come as facts. */
struct ts_task {
	struct ts_event_head head;
	__u32 pid;	  /* its process */
	__u32 parent_pid; /* FORK: the process that forked; == pid for a new thread */
	__u32 parent_tid; /* FORK: the thread that forked */
	__u8 operation;	  /* enum ts_task_operation */
	__u8 reserved[3];
	char comm[16];
};
TS_ASSERT_SIZE(struct ts_task, 56);

/*
 * Written with the first record that fits again: since first, up to last, count records of this CPU were lost. live/
 * adds one with count 0 (and TS_CPU_USERSPACE) at each drain during which a loss goes on, so that it is known before
 * the watermark.
 */
struct ts_loss {
	struct ts_event_head head; /* tid 0 */
	TS_U64 first;
	TS_U64 last;
	TS_U64 count;
};
TS_ASSERT_SIZE(struct ts_loss, 48);

/*
 * Written when a context was met for the first time, before the first call that is made in it: whatever was known of
 * another one of this name is over. Every asyncio task runs in a copy of its maker's context; so do worker threads that
 * are to go on in their caller's.
 *
 * Goroutines: parent is the one that executed the go statement, child a birth name (TS_CONTEXT_BIRTH). When the new one
 * makes its first call, another record says under which number it goes from now on: its birth name is the parent then.
 */
struct ts_lineage {
	struct ts_event_head head; /* tid: the thread that made it */
	TS_U64 child;
	TS_U64 parent; /* of which it is a copy: the one current on the thread; 0: made empty, or not known */
	__u32 pid;
	__u32 start; /* a goroutine: lower half of the address of the function that it runs; 0: not told */
};
TS_ASSERT_SIZE(struct ts_lineage, 48);

enum ts_loop_phase_kind {
	TS_LOOP_TIMERS = 1,    /* those that are due run now: the turn ends with them */
	TS_LOOP_IMMEDIATE = 2, /* one was set, the first of those that run at the end of this turn */
};

/*
 * Written where the event loop of Node.js does what no system call shows: Environment::RunTimers and
 * ToggleImmediateRef(true) in its src/env.cc (lib/internal/timers.js calls the latter when the number of immediates
 * that keep the loop alive leaves 0; that it comes back to 0 is handled inside CheckImmediate, where no function is
 * entered).
 */
struct ts_loop_phase {
	struct ts_event_head head;
	__u32 pid;
	__u16 phase; /* enum ts_loop_phase_kind */
	__u16 polls; /* TS_CLASS_POLL calls of the thread since its previous TS_EVENT_CALL record; at most 65535 */
};
TS_ASSERT_SIZE(struct ts_loop_phase, 32);

/*
 * Written when a program gives a TLS library bytes to encrypt (time: before they are; a call that cannot send them is
 * made again, and written again), or got some from it (time: at its return). The system calls that move the ciphertext
 * are records of their own. Followed by head_bytes payload bytes (the first), tail_bytes payload bytes (the last), then
 * zeros up to a multiple of 8. head_bytes + tail_bytes <= length.
 */
struct ts_plaintext {
	struct ts_event_head head;
	TS_U64 library;	   /* the library's object for the connection, an address; used again once it is gone */
	TS_U64 connection; /* first 8 bytes of the ClientHello's random, as a number in memory; 0: not known; with
			    * TS_PLAINTEXT_SOCKET the socket's id */
	TS_U64 buffer;	   /* address: whether a call is made again is told by it */
	TS_U64 length;
	TS_U64 context; /* WRITE: as of TS_CALL_CONTEXT; 0: none */
	__u32 pid;
	__u16 head_bytes;
	__u16 tail_bytes;
	__u8 operation; /* TS_OPERATION_READ, TS_OPERATION_WRITE */
	__u8 flags;	/* TS_CALL_PAYLOAD_FAULT, TS_PLAINTEXT_SOCKET */
	__u8 reserved[6];
};
TS_ASSERT_SIZE(struct ts_plaintext, 80);
#define TS_PLAINTEXT_SOCKET (1 << 7) /* the library's object leads to its socket (1.7) */
#define TS_PLAINTEXT_MOST 0x7fffffff /* bytes of one call; what claims more is not believed */

enum ts_engine_subject { TS_ENGINE_DATABASE = 1, TS_ENGINE_STATEMENT = 2 };
enum ts_engine_flag {
	TS_ENGINE_CUT = 1 << 0,	  /* ts_engine_name: the text goes on, or could not be read */
	TS_ENGINE_RESET = 1 << 1, /* ts_engine_call: given up by the program before the engine said that it was done */
};

/*
 * Written when an engine that runs in the process (SQLite) has opened a database or prepared a statement; not when that
 * failed. Followed by text_bytes bytes, the database's file name as the program gave it, or the statement's text, then
 * zeros up to a multiple of 8. Numbers are unique within the run, never 0; databases and statements share them.
 */
struct ts_engine_name {
	struct ts_event_head head; /* time: it returned */
	TS_U64 entered;		   /* ns */
	TS_U64 number;		   /* what calls name it by */
	TS_U64 database; /* STATEMENT: the number of its database, told before if it was opened since the attach */
	TS_U64 context;	 /* as of TS_CALL_CONTEXT; 0: none */
	__u32 pid;
	__u16 text_bytes;
	__u8 subject; /* enum ts_engine_subject */
	__u8 flags;   /* enum ts_engine_flag */
};
TS_ASSERT_SIZE(struct ts_engine_name, 64);

enum ts_engine_stage { TS_ENGINE_BEGIN = 1, TS_ENGINE_END = 2 };

/*
 * Written when a statement is stepped for the first time since it was prepared or was over (BEGIN), and when that
 * execution is over (END): the engine said so, or the program gave it up. What an engine executes for itself within a
 * call is part of that call.
 */
struct ts_engine_call {
	struct ts_event_head head; /* time: BEGIN: the first step was entered; END: this was written */
	TS_U64 execution;	   /* number, as of ts_engine_name; the same in both records */
	TS_U64 statement; /* BEGIN: number; 0: prepared before the attach, or what is known of it was forgotten */
	TS_U64 context;	  /* BEGIN: as of TS_CALL_CONTEXT; 0: none */
	TS_U64 first;	  /* END: ns, the first step returned */
	TS_U64 last;	  /* END: ns, the last step returned */
	TS_U64 inside;	  /* END: ns, in all steps together */
	__u32 pid;
	__u32 rows;   /* END: steps that gave a row */
	__s32 result; /* END: of the last step, as in sqlite3.h: 100 a row, 101 done, else an error */
	__u8 stage;   /* enum ts_engine_stage */
	__u8 flags;   /* enum ts_engine_flag */
	__u16 reserved;
};
TS_ASSERT_SIZE(struct ts_engine_call, 88);

struct ts_watermark {
	struct ts_event_head head;
};
TS_ASSERT_SIZE(struct ts_watermark, 24);

/* Followed by json_bytes of UTF-8 JSON (an object with the member "fact", see docs/event-abi.md), zeros to a multiple
 * of 8. */
struct ts_fact {
	struct ts_event_head head;
	__u32 json_bytes;
	__u32 reserved;
};
TS_ASSERT_SIZE(struct ts_fact, 32);

#endif
