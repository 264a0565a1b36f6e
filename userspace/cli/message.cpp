#include "cli/message.hpp"

#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace timesink::cli {
namespace {

/// Whole lines in one write: timesink's and its target's may share a terminal.
bool write_all(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(descriptor, text.data(), text.size());
        if (written > 0) {
            text.remove_prefix(static_cast<std::size_t>(written));
        } else if (written == 0 || errno != EINTR) {
            return false;
        }
    }
    return true;
}

}  // namespace

void say_error(std::string_view what, std::string_view hint) {
    std::string text = "timesink: " + std::string(what) + "\n";
    if (!hint.empty()) {
        text += "  " + std::string(hint) + "\n";
    }
    write_all(STDERR_FILENO, text);
}

void say(std::string_view line) {
    write_all(STDERR_FILENO, std::string(line) + "\n");
}

int fail(ExitCode code, const Error& error, std::string_view hint) {
    say_error(error.what, hint);
    return code;
}

int print(std::string_view text) {
    if (write_all(STDOUT_FILENO, text)) {
        return kDone;
    }
    if (errno != EPIPE) {
        say_error("cannot write to standard output: " + std::generic_category().message(errno));
    }
    return kCannotWrite;
}

std::string file_name(const std::string& path) {
    return path.substr(path.find_last_of('/') + 1);
}

}  // namespace timesink::cli
