// SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause)
/* What happens to the targets' sockets apart from their calls: arrival of bytes, TCP states, retransmits, the end. */
#include "unix_listeners.h"

__u64 ts_last_socket = 0;

static __always_inline void emit_arrival(struct ts_known *known, __u64 stream_end)
{
	struct ts_arrival *out = ts_reserve(TS_EVENT_ARRIVAL, sizeof(*out), 0, bpf_ktime_get_ns());

	if (!out)
		return;
	out->socket = known->id;
	out->stream_end = stream_end;
	ts_submit(out);
}

/* Runs for every socket of the host: the protocol tells which map to look into, so that one lookup is enough. */
static __always_inline int on_data_ready(const struct sock *sk, const bool btf)
{
	__u64 key = (__u64)sk;
	struct ts_known *known;

	if (TS_GET(btf, sk, sk_protocol) == IPPROTO_TCP) {
		known = ts_find_tcp(sk);
	} else {
		known = bpf_map_lookup_elem(&other_sockets, &key);
		if (ts_is_unix(sk))
			known = ts_queued_unix(sk, known);
	}
	if (!known || !known->announced || known->origin == TS_SOCKET_LISTEN)
		return 0;
	if (known->tcp)
		emit_arrival(known, TS_LOAD((const struct tcp_sock *)sk, bytes_received) - ts_fin_received(sk));
	else
		emit_arrival(known, TS_POSITION_UNKNOWN);
	return 0;
}

/*
 * Before 6.3 (kernel commit 40e0b0908142, "net/sock: Introduce trace_sk_data_ready()"): tcp_probe, which fires before
 * the segment is queued. Only a segment that continues the stream makes bytes readable; one that fills a hole also
 * frees what lies behind it, which is then told with the next segment. The sequence number is the first member of
 * tcp_skb_cb since 2.6.
 */
static __always_inline int on_segment(const struct sock *sk, const struct sk_buff *segment)
{
	struct ts_known *known = ts_find_tcp(sk);
	__u32 sequence, next, length;
	__u8 header_words = 0;
	__s32 fresh;

	if (!known || !known->announced)
		return 0;
	bpf_core_read(&sequence, sizeof(sequence), &segment->cb);
	bpf_probe_read_kernel(&header_words, 1, BPF_CORE_READ(segment, data) + 12);
	length = BPF_CORE_READ(segment, len) - (header_words >> 4) * 4;
	next = BPF_CORE_READ((const struct tcp_sock *)sk, rcv_nxt);
	fresh = (__s32)(sequence + length - next);
	if ((__s32)(sequence - next) > 0 || fresh <= 0)
		return 0;
	emit_arrival(known, TS_LOAD((const struct tcp_sock *)sk, bytes_received) - ts_fin_received(sk) + (__u32)fresh);
	return 0;
}

/* A handshake for a target's listening socket is complete: known from here, so that bytes are seen before the accept.
 */
static __always_inline struct ts_known *add_passive(const struct sock *sk, __u64 now)
{
	struct ts_first_sight sight = {.time = now, .fd = -1, .origin = TS_SOCKET_PASSIVE, .is_server = 1};

	return ts_has_listener(sk) ? ts_add_socket(sk, &sight) : NULL;
}

static __always_inline int on_state(const struct sock *sk, int old_state, int new_state)
{
	struct ts_known *known = ts_find_tcp(sk);
	struct ts_socket_state *out;
	__u64 now;

	if (!known && (old_state != TCP_SYN_RECV || new_state != TCP_ESTABLISHED))
		return 0;
	now = bpf_ktime_get_ns();
	if (!known)
		known = add_passive(sk, now);
	if (!known || new_state == TCP_SYN_SENT) /* no local port yet: announced with the next */
		return 0;
	if (known->origin == TS_SOCKET_LISTEN && old_state == TCP_LISTEN)
		ts_remove_listener(sk);
	ts_announce(sk, known, 0, now);
	out = ts_reserve(TS_EVENT_SOCKET_STATE, sizeof(*out), 0, now);
	if (!out)
		return 0;
	out->socket = known->id;
	out->old_state = old_state;
	out->new_state = new_state;
	out->error = new_state == TCP_CLOSE ? TS_LOAD(sk, sk_err) : 0;
	__builtin_memset(out->reserved, 0, sizeof(out->reserved));
	ts_submit(out);
	return 0;
}

static __always_inline int on_retransmit(const struct sock *sk)
{
	struct ts_known *known = ts_find_tcp(sk);
	struct ts_retransmit *out;

	if (!known || !known->announced)
		return 0;
	out = ts_reserve(TS_EVENT_RETRANSMIT, sizeof(*out), 0, bpf_ktime_get_ns());
	if (!out)
		return 0;
	out->socket = known->id;
	ts_submit(out);
	return 0;
}

static __always_inline int on_destroy(const struct sock *sk)
{
	ts_forget_tcp(sk);
	return 0;
}

/* These read through checked loads in both kinds of program: their arguments lead into structures that BTF types do not
 * reach. */
#define TS_SOCKET_PROBE(NAME, CALL)                                                                                    \
	SEC("tp_btf/" #NAME) int on_##NAME(unsigned long long *ctx)                                                    \
	{                                                                                                              \
		return CALL;                                                                                           \
	}                                                                                                              \
	SEC("raw_tp/" #NAME) int on_##NAME##_raw(unsigned long long *ctx)                                              \
	{                                                                                                              \
		return CALL;                                                                                           \
	}

TS_PROBE(sk_data_ready, on_data_ready, (const struct sock *)ctx[0])
TS_SOCKET_PROBE(tcp_probe, on_segment((const struct sock *)ctx[0], (const struct sk_buff *)ctx[1]))
TS_SOCKET_PROBE(inet_sock_set_state, on_state((const struct sock *)ctx[0], (int)ctx[1], (int)ctx[2]))
TS_SOCKET_PROBE(tcp_retransmit_skb, on_retransmit((const struct sock *)ctx[0]))
TS_SOCKET_PROBE(tcp_destroy_sock, on_destroy((const struct sock *)ctx[0]))
