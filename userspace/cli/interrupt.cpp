#include "cli/interrupt.hpp"

#include <unistd.h>

#include <csignal>
#include <initializer_list>

#include "cli/exit_code.hpp"

namespace timesink::cli {
namespace {

volatile std::sig_atomic_t interrupts = 0;

void on_interrupt(int) {
    if (interrupts != 0) {
        _exit(kAborted);
    }
    interrupts = 1;
}

}  // namespace

void watch_for_interrupts() {
    struct sigaction action {};
    action.sa_handler = on_interrupt;  // without SA_RESTART: waiting between two drains ends at once
    sigemptyset(&action.sa_mask);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        sigaction(signal, &action, nullptr);
    }
    action.sa_handler = SIG_IGN;
    for (const int signal : {SIGPIPE, SIGXFSZ}) {
        sigaction(signal, &action, nullptr);
    }
}

bool interrupted() {
    return interrupts != 0;
}

}  // namespace timesink::cli
