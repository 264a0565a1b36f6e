#include <algorithm>
#include <string_view>

#include "proto/http1/http1.hpp"
#include "proto/http1/start_line.hpp"
#include "proto/lines.hpp"

namespace timesink::proto::http1 {

Match detect(Direction direction, std::span<const std::byte> bytes) {
    const std::string_view text = as_text(bytes);
    const std::size_t begin = std::min(text.find_first_not_of("\r\n"), text.size());
    if (begin > 4 || begin == text.size()) {
        return text.empty() ? Match::maybe : Match::no;
    }
    const std::string_view from = text.substr(begin);
    const std::size_t line_end = from.find('\n');
    std::string_view line = from.substr(0, line_end);
    if (line_end == std::string_view::npos) {
        const bool may = direction == Direction::request ? may_become_request_line(line) : may_become_status_line(line);
        return may ? Match::maybe : Match::no;
    }
    if (line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    const bool is = direction == Direction::request ? parse_request_line(line).has_value() : parse_status_line(line).has_value();
    return is ? Match::yes : Match::no;
}

}  // namespace timesink::proto::http1
