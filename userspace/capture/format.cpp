#include "capture/format.hpp"

#include <libdeflate.h>

namespace timesink::capture {

std::uint32_t crc_of(std::span<const std::byte> bytes) {
    return libdeflate_crc32(0, bytes.data(), bytes.size());
}

std::optional<SectionKind> section_of_fact(std::string_view fact) {
    struct Place {
        std::string_view fact;
        SectionKind section;
    };
    static constexpr Place kPlaces[] = {
        {"host", SectionKind::host},         {"timesink", SectionKind::host},    {"target", SectionKind::targets},
        {"process", SectionKind::targets},   {"attached", SectionKind::targets}, {"detached", SectionKind::targets},
        {"mapping", SectionKind::mappings},  {"probe", SectionKind::probes},     {"drops", SectionKind::drops},
        {"own_cost", SectionKind::own_cost}, {"routes", SectionKind::host},      {"rules", SectionKind::host},
        {"model", SectionKind::host},        {"payload", SectionKind::host},
    };
    for (const Place& place : kPlaces) {
        if (place.fact == fact) {
            return place.section;
        }
    }
    return std::nullopt;
}

}  // namespace timesink::capture
