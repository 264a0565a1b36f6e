#include "report/export.hpp"

#include <cerrno>

#include "report/account_json.hpp"
#include "report/json_writer.hpp"

namespace timesink::report {

JsonLines::JsonLines(std::ostream& out, std::string_view timesink_version) : out_(out) {
    JsonWriter json(line_, 0);
    json.open('{').member("type", "schema").member("name", "timesink.export").member("version", kSchemaVersion);
    json.member("timesink", timesink_version).member("clock", "CLOCK_MONOTONIC").member("time_unit", "ns").close('}');
    write_line();
}

void JsonLines::write_line() {
    line_ += '\n';
    if (out_.write(line_.data(), static_cast<std::streamsize>(line_.size()))) {
        ++lines_;
    }
    line_.clear();
}

void JsonLines::account(const attribute::Account& account) {
    JsonWriter json(line_, 0);
    json.open('{').member("type", "unit");
    write_unit(json, account);
    json.close('}');
    write_line();
    for (const attribute::OwnedExchange& owned : account.exchanges) {
        exchange(owned);
    }
}

void JsonLines::stray(const attribute::OwnedExchange& owned) {
    exchange(owned);
}

void JsonLines::exchange(const attribute::OwnedExchange& owned) {
    JsonWriter json(line_, 0);
    json.open('{').member("type", "exchange");
    write_exchange(json, owned);
    json.close('}');
    write_line();
}

Status JsonLines::finish() {
    errno = 0;
    out_.flush();
    if (!out_) {
        return Error{"export: cut off after " + std::to_string(lines_) + " lines: the output could not be written", errno};
    }
    return Done{};
}

}  // namespace timesink::report
