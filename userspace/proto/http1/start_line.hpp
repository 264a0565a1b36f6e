#pragma once

#include <optional>
#include <string_view>

namespace timesink::proto::http1 {

/// Views point into the line that was parsed.
struct RequestLine {
    std::string_view method;
    std::string_view target;
};
struct StatusLine {
    int status = 0;
};

/// A line without its end. `cut`: only its begin was kept, so the version is not there to be checked. HTTP/1.x only: HTTP/0.9 has
/// nothing to recognise it by, and "PRI * HTTP/2.0" opens HTTP/2.
std::optional<RequestLine> parse_request_line(std::string_view line, bool cut = false);
std::optional<StatusLine> parse_status_line(std::string_view line);

/// One of the methods in daily use. Asked of a line that is found in the middle of a stream, where any upper-case word passes for
/// a method ("ET /a HTTP/1.1" behind a gap).
bool is_common_method(std::string_view method);

/// Whether more bytes could make it such a line.
bool may_become_request_line(std::string_view begin);
bool may_become_status_line(std::string_view begin);

}  // namespace timesink::proto::http1
