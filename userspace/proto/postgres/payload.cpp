#include "proto/postgres/payload.hpp"

#include <algorithm>

#include "proto/lines.hpp"

namespace timesink::proto::postgres {

std::string_view take_string(std::string_view& payload) {
    const std::size_t end = std::min(payload.find('\0'), payload.size());
    const std::string_view text = payload.substr(0, end);
    payload.remove_prefix(std::min(end + 1, payload.size()));
    return text;
}

void add_rows(End& answer, std::string_view tag) {
    tag = tag.substr(0, tag.find('\0'));
    std::uint64_t rows = 0;
    const std::size_t space = tag.rfind(' ');
    if (space != std::string_view::npos && parse_decimal(tag.substr(space + 1), rows)) {
        answer.rows = answer.rows.value_or(0) + rows;
    }
}

std::string sqlstate_of(std::string_view fields) {
    while (!fields.empty() && fields.front() != '\0') {
        const char field = fields.front();
        fields.remove_prefix(1);
        const std::string_view value = take_string(fields);
        if (field == 'C') {
            return std::string(value.size() == 5 ? value : kUnknown);
        }
    }
    return std::string(kUnknown);
}

std::string database_of(std::string_view parameters) {
    std::string user;
    while (!parameters.empty() && parameters.front() != '\0') {
        const std::string_view name = take_string(parameters);
        const std::string_view value = take_string(parameters);
        if (name == "database") {
            return std::string(value);
        }
        if (name == "user") {
            user = value;
        }
    }
    return user;
}

}  // namespace timesink::proto::postgres
