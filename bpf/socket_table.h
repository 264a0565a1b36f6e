/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
/*
 * What is known of each socket, by the address of its struct sock. A TCP socket is looked for several times in each
 * request, and for each arrival on the host, target's or not: so it stands in a slot that its address names, which is a
 * load instead of a search (docs/adr/0021). Two sockets that want one slot are rare: the later one goes to a hash.
 */
#ifndef TIMESINK_SOCKET_TABLE_H
#define TIMESINK_SOCKET_TABLE_H

#include "bulk.h"
#include "probe.h"

struct ts_known {
	__u64 id;
	__u64 rx; /* position of the next byte to be read */
	__u64 tx; /* of the next byte to be written */
	__u64 since;
	struct ts_run run;
	__u64 inode; /* sockets without a destroy probe: tells a new socket at an old address; 0: not checked */
	__u32 pid;
	__u32 tid;
	__s32 fd;
	__u32 announced; /* its TS_EVENT_SOCKET was written */
	__u8 origin;
	__u8 is_server;
	__u8 tcp;
	__u8 reserved[5];
};

/* Who enters a socket claims the slot, fills it, and then says whose it is. A socket is in its slot or in the hash. */
struct ts_socket_slot {
	__u64 claimed; /* address of struct sock; 0: free */
	__u64 sock;    /* the same once `known` is filled */
	__u32 passed;  /* sockets that wanted this slot and are in the hash */
	__u32 reserved;
	struct ts_known known;
};
#define TS_SOCKET_SLOTS_BITS 14
struct ts_socket_slots {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << TS_SOCKET_SLOTS_BITS);
	__type(key, __u32);
	__type(value, struct ts_socket_slot);
};
struct ts_socket_slots socket_slots SEC(".maps");

/* TCP: from its first sight to tcp_destroy_sock. Key: address of struct sock. */
struct ts_sockets {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct ts_known);
};
struct ts_sockets sockets SEC(".maps");

/* Unix and UDP: no tracepoint tells their end, so the oldest give way, and inode numbers tell reused addresses. */
struct ts_other_sockets {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct ts_known);
};
struct ts_other_sockets other_sockets SEC(".maps");

/*
 * A pointer that the verifier knows is not computed with; one that was half overwritten on the stack is a number to it.
 * The lower half is enough: addresses of one slab are multiples of a cache line, and differ in few bits, which the
 * golden ratio spreads.
 */
static __always_inline struct ts_socket_slot *ts_slot_of(__u64 sock)
{
	volatile __u32 halves[2] __attribute__((aligned(8)));
	__u32 index;

	*(volatile __u64 *)halves = sock;
	halves[1] = 0;
	index = (halves[0] >> 6) * 0x9e3779b1u >> (32 - TS_SOCKET_SLOTS_BITS);
	return bpf_map_lookup_elem(&socket_slots, &index);
}

static __always_inline struct ts_known *ts_find_tcp(const struct sock *sk)
{
	__u64 key = (__u64)sk;
	struct ts_socket_slot *slot = ts_slot_of(key);

	if (!slot)
		return NULL;
	if (slot->sock == key)
		return &slot->known;
	return slot->passed ? bpf_map_lookup_elem(&sockets, &key) : NULL;
}

static __always_inline struct ts_known *ts_find_socket(const struct sock *sk, __u64 inode)
{
	__u64 key = (__u64)sk;
	struct ts_known *known = ts_find_tcp(sk);

	if (known)
		return known;
	known = bpf_map_lookup_elem(&other_sockets, &key);
	if (known && inode && known->inode && known->inode != inode)
		return NULL;
	return known;
}

#define TS_SLOT_LOOKS 256 /* far longer than filling a slot takes */

/* Two threads may meet a socket at once: the first one's number stands, and the other waits for it to be there. */
static __always_inline struct ts_known *ts_await_slot(struct ts_socket_slot *slot, __u64 sock)
{
	for (__u32 i = 0; i < TS_SLOT_LOOKS; i++)
		if (*(volatile __u64 *)&slot->sock == sock)
			return &slot->known;
	return NULL;
}

static __always_inline struct ts_known *ts_enter_into_hash(struct ts_socket_slot *slot, __u64 sock,
							   const struct ts_known *fresh, bool again)
{
	long status;

	__sync_fetch_and_add(&slot->passed, 1); /* before it is there, so that nobody looks for it in vain */
	status = bpf_map_update_elem(&sockets, &sock, fresh, BPF_NOEXIST);
	if (status)
		__sync_fetch_and_add(&slot->passed, -1);
	if (status && again)
		bpf_map_update_elem(&sockets, &sock, fresh, BPF_EXIST);
	return bpf_map_lookup_elem(&sockets, &sock);
}

/* Enters a TCP socket. `again`: what is known of it already is over (it connects anew); else that stands. */
static __always_inline struct ts_known *ts_enter_tcp(const struct sock *sk, const struct ts_known *fresh, bool again)
{
	__u64 key = (__u64)sk, claimed;
	struct ts_socket_slot *slot = ts_slot_of(key);

	if (!slot)
		return NULL;
	if (slot->passed && bpf_map_lookup_elem(&sockets, &key))
		return ts_enter_into_hash(slot, key, fresh, again);
	claimed = __sync_val_compare_and_swap(&slot->claimed, 0, key);
	if (claimed && claimed != key)
		return ts_enter_into_hash(slot, key, fresh, again);
	if (claimed && !again)
		return ts_await_slot(slot, key);
	slot->known = *fresh;
	__sync_lock_test_and_set(&slot->sock, key);
	return &slot->known;
}

static __always_inline void ts_forget_tcp(const struct sock *sk)
{
	__u64 key = (__u64)sk;
	struct ts_socket_slot *slot = ts_slot_of(key);

	if (!slot)
		return;
	if (slot->sock == key) {
		__sync_lock_test_and_set(&slot->sock, 0);
		__sync_lock_test_and_set(&slot->claimed, 0);
	} else if (slot->passed && !bpf_map_delete_elem(&sockets, &key)) {
		__sync_fetch_and_add(&slot->passed, -1);
	}
}

#endif
