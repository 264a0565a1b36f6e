#include "proto/http1/start_line.hpp"

#include <algorithm>
#include <iterator>

#include "base/ascii.hpp"

namespace timesink::proto::http1 {
namespace {

// RFC 9110 gives methods any token; real ones are short and upper-case ("VERSION-CONTROL", "M-SEARCH"), and that keeps text
// apart.
constexpr std::size_t kLongestMethod = 24;
constexpr std::string_view kVersion = "HTTP/1.";

bool is_method_character(char c) {
    return is_upper(c) || c == '-' || c == '_';
}
bool is_target_character(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte != 0x7f;  // bytes above 0x7f are not allowed, and are sent all the same
}

}  // namespace

std::optional<RequestLine> parse_request_line(std::string_view line, bool cut) {
    const std::size_t method_end = line.find(' ');
    if (method_end == std::string_view::npos || method_end == 0 || method_end > kLongestMethod ||
        !std::all_of(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(method_end), is_method_character)) {
        return std::nullopt;
    }
    std::string_view target = line.substr(method_end + 1);
    if (!cut) {
        const std::size_t target_end = target.rfind(' ');
        if (target_end == std::string_view::npos) {
            return std::nullopt;
        }
        const std::string_view version = target.substr(target_end + 1);
        if (version.size() != kVersion.size() + 1 || !version.starts_with(kVersion) || !is_digit(version.back())) {
            return std::nullopt;
        }
        target = target.substr(0, target_end);
    }
    if (target.empty() || !std::all_of(target.begin(), target.end(), is_target_character)) {
        return std::nullopt;
    }
    return RequestLine{line.substr(0, method_end), target};
}

std::optional<StatusLine> parse_status_line(std::string_view line) {
    constexpr std::size_t kStatusAt = kVersion.size() + 2;
    if (line.size() < kStatusAt + 3 || !line.starts_with(kVersion) || !is_digit(line[kVersion.size()]) ||
        line[kStatusAt - 1] != ' ') {
        return std::nullopt;
    }
    int status = 0;
    for (const char digit : line.substr(kStatusAt, 3)) {
        if (!is_digit(digit)) {
            return std::nullopt;
        }
        status = status * 10 + (digit - '0');
    }
    if (status < 100 || (line.size() > kStatusAt + 3 && line[kStatusAt + 3] != ' ')) {
        return std::nullopt;
    }
    return StatusLine{status};
}

bool is_common_method(std::string_view method) {
    constexpr std::string_view kMethods[] = {"GET",     "HEAD",  "POST",     "PUT",    "DELETE", "OPTIONS", "PATCH",
                                             "CONNECT", "TRACE", "PROPFIND", "REPORT", "MKCOL",  "COPY",    "MOVE"};
    return std::find(std::begin(kMethods), std::end(kMethods), method) != std::end(kMethods);
}

bool may_become_request_line(std::string_view begin) {
    const std::size_t method_end = std::min(begin.find(' '), begin.size());
    if (method_end > kLongestMethod || (method_end == 0 && !begin.empty()) ||
        !std::all_of(begin.begin(), begin.begin() + static_cast<std::ptrdiff_t>(method_end), is_method_character)) {
        return false;
    }
    if (method_end == begin.size()) {
        return true;
    }
    std::string_view rest = begin.substr(method_end + 1);
    const std::size_t target_end = std::min(rest.find(' '), rest.size());
    if (!std::all_of(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(target_end), is_target_character)) {
        return false;
    }
    rest.remove_prefix(std::min(target_end + 1, rest.size()));
    return rest.empty() || kVersion.starts_with(rest.substr(0, kVersion.size()));
}

bool may_become_status_line(std::string_view begin) {
    return kVersion.starts_with(begin.substr(0, kVersion.size())) &&
           (begin.size() <= kVersion.size() || is_digit(begin[kVersion.size()]));
}

}  // namespace timesink::proto::http1
