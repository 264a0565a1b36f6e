/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
/*
 * What bpf/ and live/ say to each other while attaching and detaching, apart from events: never recorded, so it may
 * change with every version.
 */
#ifndef TIMESINK_ABI_ATTACH_H
#define TIMESINK_ABI_ATTACH_H

#include "timesink/abi/events.h"

/* One per target thread, written to the file of the iterator mark_threads. Ids of the initial pid namespace. */
struct ts_listed_thread {
	__u32 pid;
	__u32 tid;
	__u32 parent;	 /* process */
	__u32 local_pid; /* the process in the pid namespace of timesink itself; 0: not visible there */
};
TS_ASSERT_SIZE(struct ts_listed_thread, 16);

/* Value of the per-CPU map cpus: what was attempted and what did not fit. */
struct ts_cpu {
	__u32 sequence; /* of the next record */
	__u32 reserved;
	TS_U64 pending; /* lost since the last TS_EVENT_LOSS */
	TS_U64 first;	/* when, ns */
	TS_U64 last;
	TS_U64 lost; /* in all */
};
TS_ASSERT_SIZE(struct ts_cpu, 40);

/* Threads that make no tasks make calls in contexts that no one told. */
enum ts_threads_have_contexts {
	TS_THREADS_MAYBE = 1, /* some */
	TS_THREADS_SURELY = 2 /* over and over */
};

/*
 * Value of the map python_processes: where a process running CPython keeps what is read at its system calls. Addresses
 * are those of the process, offsets are bytes; userspace/runtime/cpython.cpp says where they come from.
 */
struct ts_python {
	TS_U64 interpreter;  /* the main PyInterpreterState */
	TS_U64 context_type; /* PyContext_Type */
	__u32 threads_head;  /* PyInterpreterState: first of the list of thread states */
	__u32 previous;	     /* PyThreadState */
	__u32 next;
	__u32 thread_id; /* pthread_self(), which is the thread's fs base with glibc and musl */
	__u32 context;
	__u32 object_type;	     /* PyObject.ob_type */
	__u32 task_bytes;	     /* size of an asyncio Task; 0: not known, tasks are not followed */
	__u32 task_context;	     /* its context's offset, found out by the kernel side; 0: not yet */
	__u32 threads_have_contexts; /* enum ts_threads_have_contexts, set by the kernel side */
	__u32 offers;		     /* made and not settled; by the kernel side, as the next */
	__u32 offer_epoch;	     /* grows when several were open at once */
	__u32 waiting_items;	     /* put into queues, and not seen to be taken */
	__u32 buffers;		     /* its transports send what they are given later (uvloop before 0.22) */
	__u32 data_stack;	     /* PyThreadState: the memory of its frames; 0: not known, or before 3.11 */
};
TS_ASSERT_SIZE(struct ts_python, 72);
/* From PyThreadState.thread_id to the end of .context: they are read at once. 64 to 80 bytes in 3.8 to 3.14. */
#define TS_PYTHON_STATE_MOST 96

/*
 * Value of the map go_processes: where a Go program keeps what is read at its system calls. Offsets are bytes;
 * userspace/runtime/go.cpp says where they come from.
 */
struct ts_go {
	__s32 slot;   /* of the current g, from the thread's fs base */
	__u32 thread; /* runtime.g: its m */
	__u32 number; /* goid */
	__u32 status;
	__u32 start;
	__u32 current;	  /* runtime.m: the goroutine that it runs (curg) */
	__u32 thread_id;  /* procid: the thread's id in its own pid namespace */
	__u32 connection; /* net/http.persistConn: the net.Conn */
	__u32 prepared;	  /* runtime.g: what the function that tells of new goroutines is given a pointer to (sched); 0:
			     all */
	__u32 births;	  /* set by live/: the making of goroutines is told */
	__u32 strange;	  /* counted by the kernel side: requests sent by goroutines that serve no connection */
	__u32 served;	  /* ditto, until `strange` is TS_GO_STRANGE: reads of those that do */
};
TS_ASSERT_SIZE(struct ts_go, 48);
/* So many, and the making of goroutines is worth a probe. */
#define TS_GO_STRANGE 3

/*
 * The cookie of probes on a TLS library: where its object for a connection has the ClientHello's random. Bits 0 to 15:
 * offset; bits 16 to 31: offset of a pointer to be followed before, 0: none.
 */
#define TS_TLS_RANDOM_KNOWN (1ull << 32)

/* The cookie's bits from TS_PLAINTEXT_PLACE on, for the program on_plaintext: at which function it is. */
#define TS_PLAINTEXT_PLACE 48
enum ts_plaintext_place {
	TS_PLAINTEXT_WRITE = 1, /* SSL_write() */
	TS_PLAINTEXT_WRITE_EX,	/* SSL_write_ex(), gnutls_record_send() */
	TS_PLAINTEXT_READ_DONE, /* what on_tls_read or on_tls_read_ex is at the entry of returns */
	TS_PLAINTEXT_GO_COPIED, /* see bpf/tls_go.h */
	TS_PLAINTEXT_GO_READER,
	TS_PLAINTEXT_GO_ENCRYPTED
};

/* Value of the map sqlite_processes: a process in which SQLite is followed. */
struct ts_sqlite {
	TS_U64 steps; /* counted by the kernel side: steps of all its threads */
	__u32 epoch;  /* grows, by live/, when steps go untold for a while: what was open then is over */
	__u32 reserved;
};
TS_ASSERT_SIZE(struct ts_sqlite, 16);

#endif
