/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
/*
 * Connections to the targets' unix sockets before they are accepted. A client of such a socket (nginx in front of a
 * pool of workers) connects, writes and waits at once, and the kernel tells of no handshake: without this, what a
 * request waited for a free worker would be seen by nobody.
 */
#ifndef TIMESINK_UNIX_LISTENERS_H
#define TIMESINK_UNIX_LISTENERS_H

#include "socket.h"

/*
 * Key: address of the struct unix_address that a listening socket shares with every connection made to it
 * (unix_stream_connect). Its end is told by nobody, so the oldest give way. Should another socket of the host come to
 * have its address there, its connections are announced, too: records of connections that no target ever reads.
 */
struct ts_unix_listeners {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64);
};
struct ts_unix_listeners unix_listeners SEC(".maps");

static __always_inline bool ts_is_unix(const struct sock *sk)
{
	return TS_LOAD(sk, __sk_common.skc_family) == AF_UNIX;
}

/* Of a unix socket that listens, or was accepted from one that does. */
TS_SHARED int ts_add_unix_listener(const struct sock *sk)
{
	__u64 address = (__u64)BPF_CORE_READ((const struct unix_sock *)sk, addr), one = 1;

	if (address)
		bpf_map_update_elem(&unix_listeners, &address, &one, BPF_ANY);
	return 0;
}

/*
 * A unix socket to which bytes came, `known` by what stands at its address. In the queue it belongs to no file yet
 * (sk_socket is set by accept), so what has an inode there was another socket, which is gone.
 */
TS_SHARED struct ts_known *ts_queued_unix(const struct sock *sk, struct ts_known *known)
{
	struct ts_first_sight sight = {.fd = -1, .origin = TS_SOCKET_PASSIVE, .is_server = 1};
	__u64 address;

	if (BPF_CORE_READ(sk, sk_socket) || (known && !known->inode))
		return known;
	address = (__u64)BPF_CORE_READ((const struct unix_sock *)sk, addr);
	if (!address || !bpf_map_lookup_elem(&unix_listeners, &address))
		return NULL;
	sight.time = bpf_ktime_get_ns();
	known = ts_add_socket(sk, &sight);
	if (known)
		ts_announce(sk, known, 0, sight.time);
	return known;
}

#endif
