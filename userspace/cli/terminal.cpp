#include "cli/terminal.hpp"

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <charconv>
#include <clocale>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace timesink::cli {
namespace {

bool is_set(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0';
}

std::size_t size_from(const char* variable, std::size_t otherwise) {
    const char* value = std::getenv(variable);
    if (value == nullptr) {
        return otherwise;
    }
    std::size_t size = 0;
    const char* end = value + std::strlen(value);
    const auto [stop, error] = std::from_chars(value, end, size);
    return error == std::errc() && stop == end && size > 0 && size <= 10000 ? size : otherwise;
}

}  // namespace

Terminal ask_terminal() {
    Terminal terminal;
    const bool attached = isatty(STDOUT_FILENO) == 1;
    winsize window{};
    if (attached && ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 && window.ws_row > 0) {
        terminal.width = window.ws_col;
        terminal.height = window.ws_row;
    }
    terminal.width = size_from("COLUMNS", terminal.width);
    terminal.height = size_from("LINES", terminal.height);
    const char* kind = std::getenv("TERM");
    terminal.colour = attached && !is_set("NO_COLOR") && (kind == nullptr || std::string_view(kind) != "dumb");
    // Into a file or a pipe goes UTF-8: sudo and cron often leave no locale at all, and a file outlives it.
    std::setlocale(LC_CTYPE, "");
    terminal.ascii = attached && std::string_view(nl_langinfo(CODESET)) != "UTF-8";
    return terminal;
}

}  // namespace timesink::cli
