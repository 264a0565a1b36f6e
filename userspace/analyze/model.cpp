#include "analyze/model.hpp"

#include <algorithm>
#include <numeric>

namespace timesink::analyze {

Duration Ledger::bucket(attribute::Bucket bucket) const {
    Duration sum{};
    for (std::size_t i = 0; i < by_cause.size(); ++i) {
        if (attribute::bucket_of(static_cast<attribute::Cause>(i)) == bucket) {
            sum += by_cause[i];
        }
    }
    return sum;
}

void Ledger::add(const attribute::Account& account) {
    ++units;
    wall += account.wall();
    hidden += account.hidden;
    for (std::size_t i = 0; i < by_cause.size(); ++i) {
        by_cause[i] += account.by_cause[i];
    }
}

void Ledger::add(const Ledger& other) {
    units += other.units;
    wall += other.wall;
    hidden += other.hidden;
    for (std::size_t i = 0; i < by_cause.size(); ++i) {
        by_cause[i] += other.by_cause[i];
    }
}

void Resources::add(const request::Unit& unit) {
    ++units;
    cpu += unit.cpu;
    run_queue += unit.run_queue;
    minor_faults += unit.minor_faults;
    major_faults += unit.major_faults;
    for (const request::ClassCalls& used : unit.calls) {
        calls[used.call_class] += used.totals;
    }
}

void Resources::add(const Resources& other) {
    units += other.units;
    cpu += other.cpu;
    run_queue += other.run_queue;
    minor_faults += other.minor_faults;
    major_faults += other.major_faults;
    for (std::size_t i = 0; i < calls.size(); ++i) {
        calls[i] += other.calls[i];
    }
}

void Opened::add(const Opened& other) {
    count += other.count;
    on_path += other.on_path;
    for (std::size_t i = 0; i < by_cause.size(); ++i) {
        by_cause[i] += other.by_cause[i];
    }
    between += other.between;
}

Duration Opened::bucket(attribute::Bucket bucket) const {
    Duration sum{};
    for (std::size_t i = 0; i < by_cause.size(); ++i) {
        sum += attribute::bucket_of(static_cast<attribute::Cause>(i)) == bucket ? by_cause[i] : Duration{};
    }
    return sum;
}

void CallLine::add(const CallLine& other_line) {
    count += other_line.count;
    units += other_line.units;
    most_in_unit = std::max(most_in_unit, other_line.most_in_unit);
    errors += other_line.errors;
    incomplete += other_line.incomplete;
    duration.count += other_line.duration.count;
    duration.sum += other_line.duration.sum;
    duration.max = std::max(duration.max, other_line.duration.max);
    on_path += other_line.on_path;
    hidden += other_line.hidden;
    for (std::size_t i = 0; i < by_cause.size(); ++i) {
        by_cause[i] += other_line.by_cause[i];
    }
    genai.add(other_line.genai);
    bytes_out += other_line.bytes_out;
    bytes_in += other_line.bytes_in;
    if (other_line.rows) {
        rows = rows.value_or(0) + *other_line.rows;
    }
    uncertain += other_line.uncertain;
    opened.add(other_line.opened);
    connections += other_line.connections;
    setup += other_line.setup;
    repeats += other_line.repeats;
    repeats_on_path += other_line.repeats_on_path;
    units_repeating += other_line.units_repeating;
}

std::uint64_t Coverage::excluded_total() const {
    return std::accumulate(excluded.begin(), excluded.end(), std::uint64_t{0});
}

void ObjectSums::add(const std::vector<attribute::MovedObject>& objects) {
    for (const attribute::MovedObject& object : objects) {
        add({1, object.bytes, object.stored ? std::uint64_t{1} : 0, object.fetched ? std::uint64_t{1} : 0, object.on_path});
    }
}

void ObjectSums::add(const ObjectSums& other) {
    count += other.count;
    bytes += other.bytes;
    stored += other.stored;
    fetched += other.fetched;
    on_path += other.on_path;
}

std::optional<request::UnitKind> Model::unit_kind() const {
    std::optional<request::UnitKind> kind;
    for (const RouteLine& route : routes) {
        if (route.other || (kind && *kind == route.kind)) {
            continue;
        }
        if (kind) {
            return std::nullopt;
        }
        kind = route.kind;
    }
    return kind.value_or(request::UnitKind::request);
}

}  // namespace timesink::analyze
