/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
/*
 * What Go's crypto/tls encrypts and has decrypted. Each way has two probes, neither at a return (see golang.bpf.c): one
 * where a method of tls.Conn is entered, which tells the connection, and one where that method calls what moves the
 * plaintext, which tells the bytes. In between the goroutine may be parked, and go on in another thread.
 *
 *   read:  (*Conn).Read, then in it runtime.memmove(to, from, bytes), or, where that is not inlined,
 *          (*bytes.Reader).Read(reader, buffer)
 *   write: (*Conn).writeRecordLocked(type, data), then in it (*halfConn).encrypt(record, payload, rand), once a record
 *
 * Arguments are in ax, bx, cx, di, si, r8, …; the current g is in r14 (cmd/compile/abi-internal.md).
 */
#ifndef TIMESINK_TLS_GO_H
#define TIMESINK_TLS_GO_H

#include "descriptor.h"
#include "golang.h"
#include "plaintext.h"
#include "socket.h"

#define GO_TLS_DATA 23 /* recordTypeApplicationData: RFC 8446, 5.1 */

struct ts_go_tls_key {
	__u64 goroutine;
	__u32 pid;
	__u32 operation;
};
struct ts_go_tls_entered {
	__u64 connection; /* *tls.Conn */
	__u64 socket;
};

/* Methods that were entered: written anew whenever that happens, so what is over misleads nobody. */
struct ts_go_tls {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, struct ts_go_tls_key);
	__type(value, struct ts_go_tls_entered);
};
struct ts_go_tls go_tls SEC(".maps");

static __always_inline void go_tls_key(struct ts_go_tls_key *key, struct pt_regs *regs, __u32 pid, __u32 operation)
{
	key->goroutine = BPF_CORE_READ(regs, r14);
	key->pid = pid;
	key->operation = operation;
}

/* `told`: what the method moves is the application's. */
static __always_inline int go_tls_entered(struct pt_regs *regs, __u32 operation, bool told, const bool btf)
{
	struct ts_thread *thread = ts_thread_of_current(btf);
	struct ts_go_tls_entered entered = {};
	struct ts_descriptor descriptor;
	struct ts_go_tls_key key = {};
	struct ts_known *known = NULL;
	__s32 fd;

	if (!thread)
		return 0;
	go_tls_key(&key, regs, thread->pid, operation);
	entered.connection = BPF_CORE_READ(regs, ax);
	/* tls.Conn begins with the net.Conn below it: table, then object. */
	fd = told ? ts_go_descriptor_of(ts_read_word(entered.connection + 8)) : -1;
	if (fd >= 0) {
		descriptor = ts_descriptor_of(ts_current(btf), fd, btf);
		known = descriptor.sk ? ts_find_socket(descriptor.sk, descriptor.inode) : NULL;
	}
	if (!known) {
		bpf_map_delete_elem(&go_tls, &key);
		return 0;
	}
	entered.socket = known->id;
	bpf_map_update_elem(&go_tls, &key, &entered, BPF_ANY);
	return 0;
}

/* False: whose bytes they are is not known. */
static __always_inline bool go_tls_moved(struct pt_regs *regs, const struct ts_thread *thread, __u32 operation,
					 struct ts_moved *moved)
{
	const struct ts_go_tls_entered *entered;
	struct ts_go_tls_key key = {};

	go_tls_key(&key, regs, thread->pid, operation);
	entered = bpf_map_lookup_elem(&go_tls, &key);
	if (!entered)
		return false;
	moved->operation = operation;
	moved->flags = TS_PLAINTEXT_SOCKET;
	moved->library = entered->connection;
	moved->connection = entered->socket;
	return true;
}

/* runtime.memmove(to, from, bytes) */
static __always_inline bool go_tls_copied(struct pt_regs *regs, const struct ts_thread *thread, struct ts_moved *moved)
{
	moved->buffer = BPF_CORE_READ(regs, bx);
	moved->length = BPF_CORE_READ(regs, cx);
	return go_tls_moved(regs, thread, TS_OPERATION_READ, moved);
}

/* (*halfConn).encrypt(record, payload, rand) */
static __always_inline bool go_tls_encrypted(struct pt_regs *regs, const struct ts_thread *thread,
					     struct ts_moved *moved)
{
	moved->buffer = BPF_CORE_READ(regs, si);
	moved->length = BPF_CORE_READ(regs, r8);
	return go_tls_moved(regs, thread, TS_OPERATION_WRITE, moved);
}

/* bytes.Reader: the slice that is read (begin, length, capacity), then how far that has come. */
struct go_reader {
	__u64 begin;
	__u64 length;
	__u64 capacity;
	__u64 done;
};

static __always_inline bool go_tls_reader(struct pt_regs *regs, const struct ts_thread *thread, struct ts_moved *moved)
{
	struct go_reader reader = {};
	__u64 wanted = BPF_CORE_READ(regs, cx);

	if (bpf_probe_read_user(&reader, sizeof(reader), (void *)BPF_CORE_READ(regs, ax)) ||
	    reader.done >= reader.length)
		return false;
	if (wanted > reader.length - reader.done)
		wanted = reader.length - reader.done;
	moved->buffer = reader.begin + reader.done;
	moved->length = wanted;
	return go_tls_moved(regs, thread, TS_OPERATION_READ, moved);
}

#endif
