/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
/* The sockets of the targets: how they are found, numbered, described; where each stands in its two streams. */
#ifndef TIMESINK_SOCKET_H
#define TIMESINK_SOCKET_H

#include "ring.h"
#include "socket_table.h"

#include <bpf/bpf_endian.h>

/* Where the targets listen. IPv4 as ::ffff:a.b.c.d; all zeros for any address. The value counts sockets (SO_REUSEPORT).
 */
struct ts_listen_key {
	__u32 network_namespace;
	__u16 port;
	__u16 reserved;
	__u8 address[16];
};
struct ts_listeners {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct ts_listen_key);
	__type(value, __u64);
};
struct ts_listeners listeners SEC(".maps");

extern __u64 ts_last_socket; /* the id given last */

static __always_inline bool ts_is_tcp(const struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return (family == AF_INET || family == AF_INET6) && BPF_CORE_READ(sk, sk_type) == SOCK_STREAM &&
	       BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP;
}

/* Of the kinds that have records of their own: TCP, UDP, unix. Netlink, raw, packet, vsock, … are only counted. */
static __always_inline bool ts_is_recorded(const struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	__u16 protocol = BPF_CORE_READ(sk, sk_protocol);

	if (family == AF_UNIX)
		return true;
	if (family != AF_INET && family != AF_INET6)
		return false;
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;
}

/* tcp_sock.bytes_received grows with rcv_nxt, which counts the FIN too. SOCK_DONE is set when it came. */
static __always_inline __u32 ts_fin_received(const struct sock *sk)
{
	return TS_LOAD(sk, __sk_common.skc_flags) >> SOCK_DONE & 1;
}

struct ts_positions {
	__u64 socket; /* of: its struct sock */
	__u64 rx;
	__u64 tx;
	__u64 unread;
};

/*
 * Where a TCP socket stands now. Softirqs move the fields while they are read: read again when that shows. On the
 * connecting side tx counts the SYN (bytes_acked does): one off, but the same one always. Global, and given a number
 * and no typed pointer, which such a function cannot take: verified once.
 */
__weak __noinline int ts_fill_positions(struct ts_positions *out)
{
	const struct tcp_sock *tcp;
	__u32 received, copied, acknowledged;

	if (!out)
		return 0;
	tcp = (const struct tcp_sock *)out->socket;
	for (int attempt = 0; attempt < 3; attempt++) {
		received = BPF_CORE_READ(tcp, rcv_nxt);
		acknowledged = BPF_CORE_READ(tcp, snd_una);
		copied = BPF_CORE_READ(tcp, copied_seq);
		out->unread = (__s32)(received - copied) > 0 ? received - copied : 0;
		out->rx = BPF_CORE_READ(tcp, bytes_received) - out->unread;
		out->tx = BPF_CORE_READ(tcp, bytes_acked) + (__u32)(BPF_CORE_READ(tcp, write_seq) - acknowledged);
		if (BPF_CORE_READ(tcp, rcv_nxt) == received && BPF_CORE_READ(tcp, snd_una) == acknowledged)
			break;
	}
	if (out->unread)
		out->unread -= ts_fin_received((const struct sock *)tcp);
	return 0;
}

static __always_inline void ts_read_positions(const struct sock *sk, struct ts_positions *out)
{
	out->socket = (__u64)sk;
	ts_fill_positions(out);
}

static __always_inline __u32 ts_network_namespace(const struct sock *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

static __always_inline void ts_local_key(const struct sock *sk, struct ts_listen_key *key)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->network_namespace = ts_network_namespace(sk);
	key->port = BPF_CORE_READ(sk, __sk_common.skc_num);
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET6) {
		BPF_CORE_READ_INTO(&key->address, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
	} else {
		__u32 address = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);

		if (!address)
			return;
		key->address[10] = 0xff;
		key->address[11] = 0xff;
		__builtin_memcpy(&key->address[12], &address, 4);
	}
}

/* Does one of the targets' listening sockets take connections to this socket's local address? */
TS_SHARED int ts_has_listener(const struct sock *sk)
{
	struct ts_listen_key key;

	ts_local_key(sk, &key);
	if (bpf_map_lookup_elem(&listeners, &key))
		return 1;
	__builtin_memset(key.address, 0, sizeof(key.address));
	return bpf_map_lookup_elem(&listeners, &key) != NULL;
}

TS_SHARED int ts_add_listener(const struct sock *sk)
{
	struct ts_listen_key key;
	__u64 one = 1, *count;

	ts_local_key(sk, &key);
	count = bpf_map_lookup_elem(&listeners, &key);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&listeners, &key, &one, BPF_ANY);
	return 0;
}

TS_SHARED int ts_remove_listener(const struct sock *sk)
{
	struct ts_listen_key key;
	__u64 *count;

	ts_local_key(sk, &key);
	count = bpf_map_lookup_elem(&listeners, &key);
	if (count && __sync_fetch_and_add(count, -1) == 1)
		bpf_map_delete_elem(&listeners, &key);
	return 0;
}

/* The path that a unix socket is bound to; false when it is bound to none. */
static __always_inline bool ts_unix_path(const struct unix_sock *sk, char *path)
{
	const struct unix_address *address = BPF_CORE_READ(sk, addr);
	__u32 length;

	if (!address)
		return false;
	length = BPF_CORE_READ(address, len) - sizeof(__u16); /* sun_family */
	if (length == 0 || length > 108)
		return false;
	TS_OPAQUE(length);
	if (length > 108)
		return false;
	bpf_core_read(path, length, &address->name[0].sun_path);
	return true;
}

static __always_inline void ts_describe_unix(struct ts_socket *out, const struct sock *sk, __u8 is_server)
{
	const struct unix_sock *peer = (const struct unix_sock *)BPF_CORE_READ((const struct unix_sock *)sk, peer);

	out->is_server = is_server;
	if (ts_unix_path((const struct unix_sock *)sk, out->unix_path)) {
		if (is_server == 2)
			out->is_server = 1;
	} else if (peer && ts_unix_path(peer, out->unix_path)) {
		if (is_server == 2)
			out->is_server = 0;
	}
}

/* Everything but the head. A function of its own, for it is used in many places and not small. */
TS_SHARED int ts_describe(struct ts_socket *out, const struct sock *sk, const struct ts_known *known)
{
	if (!out || !known)
		return 0;
	__builtin_memset(&out->rx_position, 0, sizeof(*out) - __builtin_offsetof(struct ts_socket, rx_position));
	out->socket = known->id;
	out->rx_position = known->rx;
	out->tx_position = known->tx;
	out->pid = known->pid;
	out->fd = known->fd;
	out->origin = known->origin;
	out->is_server = known->is_server;
	out->network_namespace = ts_network_namespace(sk);
	out->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	out->type = BPF_CORE_READ(sk, sk_type);
	if (out->family == AF_UNIX) {
		ts_describe_unix(out, sk, known->is_server);
		return 0;
	}
	out->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	out->remote_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (out->family == AF_INET6) {
		BPF_CORE_READ_INTO(&out->local_address, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
		BPF_CORE_READ_INTO(&out->remote_address, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr8);
	} else {
		BPF_CORE_READ_INTO((__u32 *)out->local_address, sk, __sk_common.skc_rcv_saddr);
		BPF_CORE_READ_INTO((__u32 *)out->remote_address, sk, __sk_common.skc_daddr);
	}
	return 0;
}

/* The first that gets here writes the record; the socket's other records follow it. Did it not fit, the next one tries.
 */
TS_SHARED int ts_announce(const struct sock *sk, struct ts_known *known, __u64 unread, __u64 now)
{
	struct ts_socket *out;

	if (!known || __sync_lock_test_and_set(&known->announced, 1))
		return 0;
	out = ts_reserve(TS_EVENT_SOCKET, sizeof(*out), known->tid, now);
	if (!out) {
		known->announced = 0;
		return 0;
	}
	ts_describe(out, sk, known);
	out->unread = unread;
	ts_submit(out);
	return 0;
}

struct ts_first_sight {
	__u64 inode;
	__u64 time;
	__u32 pid;
	__u32 tid;
	__s32 fd;
	__u8 origin;	/* enum ts_socket_origin */
	__u8 is_server; /* 0, 1, 2: unknown */
};

/* Enters a socket. A fresh TCP socket (connect) stands at 0, any other where the kernel says that it stands. */
TS_SHARED struct ts_known *ts_add_socket(const struct sock *sk, const struct ts_first_sight *sight)
{
	struct ts_known fresh = {};
	__u64 key = (__u64)sk;

	if (!sight)
		return NULL;
	fresh.id = __sync_fetch_and_add(&ts_last_socket, 1) + 1;
	fresh.since = sight->time;
	fresh.pid = sight->pid;
	fresh.tid = sight->tid;
	fresh.fd = sight->fd;
	fresh.origin = sight->origin;
	fresh.is_server = sight->is_server;
	fresh.tcp = ts_is_tcp(sk);
	if (!fresh.tcp) {
		fresh.inode = sight->inode;
		bpf_map_update_elem(&other_sockets, &key, &fresh, BPF_ANY);
		return bpf_map_lookup_elem(&other_sockets, &key);
	}
	if (sight->origin != TS_SOCKET_CONNECT && sight->origin != TS_SOCKET_LISTEN) {
		struct ts_positions now = {};

		ts_read_positions(sk, &now);
		fresh.rx = now.rx;
		fresh.tx = now.tx;
	}
	return ts_enter_tcp(sk, &fresh, sight->origin == TS_SOCKET_CONNECT); /* a new connect is a new connection */
}

#endif
