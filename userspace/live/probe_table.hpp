#pragma once

#include <array>
#include <string_view>

namespace timesink::live {

/// When a probe is attached: see Session::open().
enum class Stage : unsigned char { tasks, sockets, calls };

/// A tracepoint that timesink uses, and what the report lacks without it.
struct ProbeRow {
    const char* name;
    Stage stage;
    bool indispensable;           ///< nothing worth reporting comes without it
    std::string_view instead_of;  ///< attached only where that one cannot be
    const char* costs;
    const char* mend;
};

inline constexpr const char* kSocketListingCosts =
    "connections older than the attach are known only from their first call: their role, and what waits in them, is guessed";

inline constexpr std::array<ProbeRow, 13> kProbes{{
    {"sched_process_fork", Stage::tasks, true, "", "threads and workers that start later are not seen",
     "a kernel of 5.12 or newer"},
    {"sched_process_exec", Stage::tasks, false, "", "programs that a target starts keep the name of the target",
     "a kernel of 5.12 or newer"},
    {"sched_process_exit", Stage::tasks, false, "", "the end of workers is noticed late", "a kernel of 5.12 or newer"},
    {"inet_sock_set_state", Stage::sockets, false, "", "accept backlog and connect times are not told apart",
     "a kernel of 5.12 or newer"},
    {"tcp_destroy_sock", Stage::sockets, false, "", "numbers of closed connections may be given to new ones",
     "a kernel of 5.12 or newer"},
    {"tcp_retransmit_skb", Stage::sockets, false, "", "retransmits are not counted", "a kernel of 5.12 or newer"},
    {"sys_enter", Stage::calls, true, "", "nothing can be reported", "a kernel with CONFIG_FTRACE_SYSCALLS"},
    {"sys_exit", Stage::calls, true, "", "nothing can be reported", "a kernel with CONFIG_FTRACE_SYSCALLS"},
    {"sk_data_ready", Stage::calls, false, "", "arrivals on unix sockets are not seen: their waits count as the other end's",
     "a kernel of 6.3 or newer; for TCP, tcp_probe takes its place"},
    {"tcp_probe", Stage::calls, false, "sk_data_ready",
     "arrival of bytes is not seen: waiting in the socket backlog counts as the database's or provider's time",
     "a kernel of 5.12 or newer"},
    {"sched_switch", Stage::calls, false, "", "run queue, blocked and CPU time are not told apart", "a kernel of 5.12 or newer"},
    {"sched_waking", Stage::calls, false, "", "the end of blocking is not known: run queue counts as blocked",
     "a kernel of 5.12 or newer"},
    {"sched_wakeup_new", Stage::calls, false, "", "the first wait of new threads for a CPU is not seen",
     "a kernel of 5.12 or newer"},
}};

}  // namespace timesink::live
