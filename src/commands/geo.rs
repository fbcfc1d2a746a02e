//! Places: sorted sets whose scores are geohashes (`types::geo`), and searches among them.

use std::ops::Bound;

use crate::base::number;
use crate::base::partial_sort::sort_range;
use crate::commands::elements::reply_double;
use crate::commands::zset::range::store_sorted;
use crate::commands::zset::{AddFlags, add, lookup};
use crate::resp::CommandError;
use crate::server::context::{self, Args};
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;
use crate::types::geo::{Point, Shape};
use crate::types::zset::{Direction, ZsetRef, compare};

/// The family.
pub const COMMANDS: &[Command] = &[
    GEOADD,
    GEOPOS,
    GEODIST,
    GEOHASH,
    GEOSEARCH,
    GEOSEARCHSTORE,
    GEORADIUS,
    GEORADIUS_RO,
    GEORADIUSBYMEMBER,
    GEORADIUSBYMEMBER_RO,
];

const GEOADD: Command = Command {
    info: CommandInfo {
        name: "geoadd",
        arity: Arity::AtLeast(5),
        since: "3.2.0",
        group: Group::Geo,
        complexity: "O(log(N)) for each place, N the number of members",
        summary: "Adds places, given by longitude and latitude, to a sorted set.",
        flags: Flags::DENYOOM.or(Flags::WRITE),
        categories: Categories::GEO,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::UPDATE))],
        arguments: &[
            key("key", 0),
            oneof("condition", &[token("nx", "NX"), token("xx", "XX")]).optional().since("6.2.0"),
            token("change", "CH").optional().since("6.2.0"),
            block("data", &[double("longitude"), double("latitude"), string("member")]).multiple(),
        ],
        ..INFO
    },
    handler: Handler::Data(geoadd),
};

const GEOPOS: Command = Command {
    info: CommandInfo {
        name: "geopos",
        arity: Arity::AtLeast(2),
        since: "3.2.0",
        group: Group::Geo,
        complexity: "O(N), N the number of members named",
        summary: "Tells the longitude and latitude of places.",
        flags: Flags::READONLY,
        categories: Categories::GEO,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0), string("member").multiple().optional()],
        ..INFO
    },
    handler: Handler::Data(geopos),
};

const GEODIST: Command = Command {
    info: CommandInfo {
        name: "geodist",
        arity: Arity::AtLeast(4),
        since: "3.2.0",
        group: Group::Geo,
        complexity: "O(1)",
        summary: "Tells the distance between two places.",
        flags: Flags::READONLY,
        categories: Categories::GEO,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            key("key", 0),
            string("member1"),
            string("member2"),
            oneof("unit", &[token("m", "M"), token("km", "KM"), token("ft", "FT"), token("mi", "MI")]).optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(geodist),
};

const GEOHASH: Command = Command {
    info: CommandInfo {
        name: "geohash",
        arity: Arity::AtLeast(2),
        since: "3.2.0",
        group: Group::Geo,
        complexity: "O(N), N the number of members named",
        summary: "Tells the geohashes of places as text.",
        flags: Flags::READONLY,
        categories: Categories::GEO,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0), string("member").multiple().optional()],
        ..INFO
    },
    handler: Handler::Data(geohash),
};

const GEOSEARCH: Command = Command {
    info: CommandInfo {
        name: "geosearch",
        arity: Arity::AtLeast(7),
        since: "6.2.0",
        group: Group::Geo,
        complexity: "O(N+log(M)), N places in the cells around the shape, M members",
        summary: "Lists the places within a circle or a box.",
        flags: Flags::READONLY,
        categories: Categories::GEO,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            key("key", 0),
            oneof(
                "from",
                &[
                    string("member").token("FROMMEMBER"),
                    block("fromlonlat", &[double("longitude"), double("latitude")]).token("FROMLONLAT"),
                ],
            ),
            oneof(
                "by",
                &[
                    block(
                        "circle",
                        &[
                            double("radius").token("BYRADIUS"),
                            oneof("unit", &[token("m", "M"), token("km", "KM"), token("ft", "FT"), token("mi", "MI")]),
                        ],
                    ),
                    block(
                        "box",
                        &[
                            double("width").token("BYBOX"),
                            double("height"),
                            oneof("unit", &[token("m", "M"), token("km", "KM"), token("ft", "FT"), token("mi", "MI")]),
                        ],
                    ),
                ],
            ),
            oneof("order", &[token("asc", "ASC"), token("desc", "DESC")]).optional(),
            block("count-block", &[integer("count").token("COUNT"), token("any", "ANY").optional()]).optional(),
            token("withcoord", "WITHCOORD").optional(),
            token("withdist", "WITHDIST").optional(),
            token("withhash", "WITHHASH").optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(geosearch),
};

const GEOSEARCHSTORE: Command = Command {
    info: CommandInfo {
        name: "geosearchstore",
        arity: Arity::AtLeast(8),
        since: "6.2.0",
        group: Group::Geo,
        complexity: "O(N+log(M)), N places in the cells around the shape, M members",
        summary: "Stores the places within a circle or a box in a sorted set.",
        flags: Flags::DENYOOM.or(Flags::WRITE),
        categories: Categories::GEO,
        keys: &[KeySpec::first(KeyFlags::OW.or(KeyFlags::UPDATE)), KeySpec::at(2, KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            key("destination", 0),
            key("source", 1),
            oneof(
                "from",
                &[
                    string("member").token("FROMMEMBER"),
                    block("fromlonlat", &[double("longitude"), double("latitude")]).token("FROMLONLAT"),
                ],
            ),
            oneof(
                "by",
                &[
                    block(
                        "circle",
                        &[
                            double("radius").token("BYRADIUS"),
                            oneof("unit", &[token("m", "M"), token("km", "KM"), token("ft", "FT"), token("mi", "MI")]),
                        ],
                    ),
                    block(
                        "box",
                        &[
                            double("width").token("BYBOX"),
                            double("height"),
                            oneof("unit", &[token("m", "M"), token("km", "KM"), token("ft", "FT"), token("mi", "MI")]),
                        ],
                    ),
                ],
            ),
            oneof("order", &[token("asc", "ASC"), token("desc", "DESC")]).optional(),
            block("count-block", &[integer("count").token("COUNT"), token("any", "ANY").optional()]).optional(),
            token("storedist", "STOREDIST").optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(geosearchstore),
};

const GEORADIUS: Command = Command {
    info: CommandInfo {
        name: "georadius",
        arity: Arity::AtLeast(6),
        since: "3.2.0",
        group: Group::Geo,
        complexity: "O(N+log(M)), N places in the cells around the circle, M members",
        summary: "Lists or stores the places within a distance of a point.",
        flags: Flags::DENYOOM.or(Flags::MOVABLEKEYS).or(Flags::WRITE),
        categories: Categories::GEO,
        keys: &[
            KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS)),
            KeySpec::after("STORE", 6, KeyFlags::OW.or(KeyFlags::UPDATE).or(KeyFlags::INCOMPLETE)),
            KeySpec::after("STOREDIST", 6, KeyFlags::OW.or(KeyFlags::UPDATE).or(KeyFlags::INCOMPLETE)),
        ],
        arguments: &[
            key("key", 0),
            double("longitude"),
            double("latitude"),
            double("radius"),
            oneof("unit", &[token("m", "M"), token("km", "KM"), token("ft", "FT"), token("mi", "MI")]),
            token("withcoord", "WITHCOORD").optional(),
            token("withdist", "WITHDIST").optional(),
            token("withhash", "WITHHASH").optional(),
            block("count-block", &[integer("count").token("COUNT"), token("any", "ANY").optional().since("6.2.0")])
                .optional(),
            oneof("order", &[token("asc", "ASC"), token("desc", "DESC")]).optional(),
            oneof(
                "store",
                &[
                    key("storekey", 1).token("STORE").display("key"),
                    key("storedistkey", 2).token("STOREDIST").display("key"),
                ],
            )
            .optional(),
        ],
        deprecated: Some(("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with `BYRADIUS`")),
        ..INFO
    },
    handler: Handler::Data(georadius),
};

const GEORADIUS_RO: Command = Command {
    info: CommandInfo {
        name: "georadius_ro",
        arity: Arity::AtLeast(6),
        since: "3.2.10",
        group: Group::Geo,
        complexity: "O(N+log(M)), N places in the cells around the circle, M members",
        summary: "Lists the places within a distance of a point.",
        flags: Flags::READONLY,
        categories: Categories::GEO,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            key("key", 0),
            double("longitude"),
            double("latitude"),
            double("radius"),
            oneof("unit", &[token("m", "M"), token("km", "KM"), token("ft", "FT"), token("mi", "MI")]),
            token("withcoord", "WITHCOORD").optional(),
            token("withdist", "WITHDIST").optional(),
            token("withhash", "WITHHASH").optional(),
            block("count-block", &[integer("count").token("COUNT"), token("any", "ANY").optional().since("6.2.0")])
                .optional(),
            oneof("order", &[token("asc", "ASC"), token("desc", "DESC")]).optional(),
        ],
        deprecated: Some(("6.2.0", "`GEOSEARCH` with `BYRADIUS`")),
        ..INFO
    },
    handler: Handler::Data(georadius_ro),
};

const GEORADIUSBYMEMBER: Command = Command {
    info: CommandInfo {
        name: "georadiusbymember",
        arity: Arity::AtLeast(5),
        since: "3.2.0",
        group: Group::Geo,
        complexity: "O(N+log(M)), N places in the cells around the circle, M members",
        summary: "Lists or stores the places within a distance of another.",
        flags: Flags::DENYOOM.or(Flags::MOVABLEKEYS).or(Flags::WRITE),
        categories: Categories::GEO,
        keys: &[
            KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS)),
            KeySpec::after("STORE", 5, KeyFlags::OW.or(KeyFlags::UPDATE).or(KeyFlags::INCOMPLETE)),
            KeySpec::after("STOREDIST", 5, KeyFlags::OW.or(KeyFlags::UPDATE).or(KeyFlags::INCOMPLETE)),
        ],
        arguments: &[
            key("key", 0),
            string("member"),
            double("radius"),
            oneof("unit", &[token("m", "M"), token("km", "KM"), token("ft", "FT"), token("mi", "MI")]),
            token("withcoord", "WITHCOORD").optional(),
            token("withdist", "WITHDIST").optional(),
            token("withhash", "WITHHASH").optional(),
            block("count-block", &[integer("count").token("COUNT"), token("any", "ANY").optional()]).optional(),
            oneof("order", &[token("asc", "ASC"), token("desc", "DESC")]).optional(),
            oneof(
                "store",
                &[
                    key("storekey", 1).token("STORE").display("key"),
                    key("storedistkey", 2).token("STOREDIST").display("key"),
                ],
            )
            .optional(),
        ],
        deprecated: Some(("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with `BYRADIUS` and `FROMMEMBER`")),
        ..INFO
    },
    handler: Handler::Data(georadiusbymember),
};

const GEORADIUSBYMEMBER_RO: Command = Command {
    info: CommandInfo {
        name: "georadiusbymember_ro",
        arity: Arity::AtLeast(5),
        since: "3.2.10",
        group: Group::Geo,
        complexity: "O(N+log(M)), N places in the cells around the circle, M members",
        summary: "Lists the places within a distance of another.",
        flags: Flags::READONLY,
        categories: Categories::GEO,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            key("key", 0),
            string("member"),
            double("radius"),
            oneof("unit", &[token("m", "M"), token("km", "KM"), token("ft", "FT"), token("mi", "MI")]),
            token("withcoord", "WITHCOORD").optional(),
            token("withdist", "WITHDIST").optional(),
            token("withhash", "WITHHASH").optional(),
            block("count-block", &[integer("count").token("COUNT"), token("any", "ANY").optional()]).optional(),
            oneof("order", &[token("asc", "ASC"), token("desc", "DESC")]).optional(),
        ],
        deprecated: Some(("6.2.0", "`GEOSEARCH` with `BYRADIUS` and `FROMMEMBER`")),
        ..INFO
    },
    handler: Handler::Data(georadiusbymember_ro),
};

/// Metres in a unit.
fn parse_unit(word: &[u8]) -> Result<f64, CommandError> {
    let units: [(&[u8], f64); 4] = [(b"m", 1.0), (b"km", 1000.0), (b"ft", 0.3048), (b"mi", 1609.34)];
    let found = units.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    let text = "unsupported unit provided. please use M, KM, FT, MI";
    found.map(|(_, metres)| metres).ok_or(CommandError::err(text))
}

fn parse_point(longitude: &[u8], latitude: &[u8]) -> Result<Point, CommandError> {
    let point = Point { longitude: context::float(longitude)?, latitude: context::float(latitude)? };
    if !point.is_valid() {
        let text = format!("invalid longitude,latitude pair {:.6},{:.6}", point.longitude, point.latitude);
        return Err(CommandError::err(text));
    }
    Ok(point)
}

/// Writes a distance with four decimals, rounded as Redis does: ten thousand times it, to the nearest, ties to even.
fn reply_distance(cx: &mut DataContext<'_>, distance: f64) {
    let scaled = (distance * 10_000.0).round_ties_even() as u64;
    cx.reply.bulk(format!("{}.{:04}", scaled / 10_000, scaled % 10_000).as_bytes());
}

fn reply_point(cx: &mut DataContext<'_>, point: Point) {
    cx.reply.array(2);
    reply_double(&mut cx.reply, point.longitude);
    reply_double(&mut cx.reply, point.latitude);
}

fn geoadd(cx: &mut DataContext<'_>) -> CommandResult {
    let argv = cx.argv;
    let mut flags = AddFlags::default();
    let mut at = 2;
    while let Some(word) = argv.get(at) {
        let flag = match word.to_ascii_lowercase().as_slice() {
            b"nx" => &mut flags.nx,
            b"xx" => &mut flags.xx,
            b"ch" => &mut flags.ch,
            _ => break,
        };
        *flag = true;
        at += 1;
    }
    let places = &argv[at..];
    if places.is_empty() || !places.len().is_multiple_of(3) || (flags.nx && flags.xx) {
        return Err(CommandError::Syntax);
    }
    let mut scores = Vec::with_capacity(places.len() / 3);
    for place in places.chunks_exact(3) {
        scores.push(parse_point(place[0], place[1])?.score().to_string());
    }
    let members = places.chunks_exact(3).map(|place| place[2]);
    let pairs: Vec<&[u8]> = scores.iter().zip(members).flat_map(|(score, member)| [score.as_bytes(), member]).collect();
    let dirty = cx.db.keyspace().dirty;
    let outcome = add(cx, flags, &pairs, context::float)?;
    if cx.db.keyspace().dirty != dirty && cx.propagates() {
        let rewritten: Vec<&[u8]> =
            [b"ZADD", argv[1]].into_iter().chain(argv[2..at].iter().copied()).chain(pairs).collect();
        cx.propagate_as(&rewritten);
    }
    Ok(outcome)
}

fn geopos(cx: &mut DataContext<'_>) -> CommandResult {
    let zset = lookup(&mut cx.db, cx.argv[1])?;
    let members = &cx.argv[2..];
    let points: Vec<Option<Point>> = members.iter().map(|member| point_of(zset, member)).collect();
    cx.reply.array(points.len());
    for point in points {
        match point {
            Some(point) => reply_point(cx, point),
            None => cx.reply.null_array(),
        }
    }
    Ok(Outcome::Done)
}

fn point_of(zset: Option<ZsetRef<'_>>, member: &[u8]) -> Option<Point> {
    zset?.score(member).map(Point::from_score)
}

fn geodist(cx: &mut DataContext<'_>) -> CommandResult {
    let unit = match &cx.argv[4..] {
        [] => 1.0,
        [unit] => parse_unit(unit)?,
        _ => return Err(CommandError::Syntax),
    };
    let zset = lookup(&mut cx.db, cx.argv[1])?;
    match (point_of(zset, cx.argv[2]), point_of(zset, cx.argv[3])) {
        (Some(a), Some(b)) => reply_distance(cx, a.distance(b) / unit),
        _ => cx.reply.null(),
    }
    Ok(Outcome::Done)
}

fn geohash(cx: &mut DataContext<'_>) -> CommandResult {
    let zset = lookup(&mut cx.db, cx.argv[1])?;
    cx.reply.array(cx.argv.len() - 2);
    for member in &cx.argv[2..] {
        match point_of(zset, member) {
            Some(point) => cx.reply.bulk(&point.hash_text()),
            None => cx.reply.null(),
        }
    }
    Ok(Outcome::Done)
}

/// Where a search begins.
#[derive(Clone, Copy)]
enum Origin {
    Point(Point),
    Member(Point),
    /// A member of a key that does not exist: nothing is near it.
    Nowhere,
}

/// What a command of the family leaves to options.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// GEORADIUS and GEORADIUSBYMEMBER.
    Radius,
    RadiusReadOnly,
    Search,
    SearchStore,
}

/// A search taken apart.
struct Search<'a> {
    from: Option<Origin>,
    shape: Option<Shape>,
    /// Metres in the unit of distances.
    unit: f64,
    with_coord: bool,
    with_dist: bool,
    with_hash: bool,
    /// How many places to return at most; 0: all.
    count: usize,
    /// Any places within will do, not the nearest.
    any: bool,
    sort: Option<Direction>,
    store: Option<&'a [u8]>,
    store_dist: bool,
}

/// A place that was found.
struct Found {
    member: Vec<u8>,
    score: f64,
    point: Point,
    /// In the unit of the search.
    distance: f64,
}

fn parse_length(arg: &[u8], what: &'static str) -> Result<f64, CommandError> {
    number::parse_f64(arg).ok_or(CommandError::err(format!("need numeric {what}")))
}

/// A radius with its unit, in metres.
fn parse_circle(args: &mut Args<'_>) -> Result<(Shape, f64), CommandError> {
    let radius = parse_length(args.required()?, "radius")?;
    if radius < 0.0 {
        return Err(CommandError::err("radius cannot be negative"));
    }
    let unit = parse_unit(args.required()?)?;
    Ok((Shape::Circle(radius * unit), unit))
}

/// Width and height with their unit, in metres.
fn parse_box(args: &mut Args<'_>) -> Result<(Shape, f64), CommandError> {
    let width = parse_length(args.required()?, "width")?;
    let height = parse_length(args.required()?, "height")?;
    if width < 0.0 || height < 0.0 {
        return Err(CommandError::err("height or width cannot be negative"));
    }
    let unit = parse_unit(args.required()?)?;
    Ok((Shape::Box(width * unit, height * unit), unit))
}

/// The place of a member that must exist if its key does.
fn member_place(zset: Option<ZsetRef<'_>>, member: &[u8]) -> Result<Origin, CommandError> {
    if zset.is_none() {
        return Ok(Origin::Nowhere);
    }
    let point = point_of(zset, member).ok_or(CommandError::err("could not decode requested zset member"))?;
    Ok(Origin::Member(point))
}

impl<'a> Search<'a> {
    fn new() -> Search<'a> {
        Search {
            from: None,
            shape: None,
            unit: 1.0,
            with_coord: false,
            with_dist: false,
            with_hash: false,
            count: 0,
            any: false,
            sort: None,
            store: None,
            store_dist: false,
        }
    }

    /// Reads the options that are left.
    fn parse(
        &mut self,
        mut args: Args<'a>,
        zset: Option<ZsetRef<'_>>,
        form: Form,
        name: &[u8],
    ) -> Result<(), CommandError> {
        let is_search = matches!(form, Form::Search | Form::SearchStore);
        while args.left() > 0 {
            if args.take_word("WITHDIST") {
                self.with_dist = true;
            } else if args.take_word("WITHHASH") {
                self.with_hash = true;
            } else if args.take_word("WITHCOORD") {
                self.with_coord = true;
            } else if args.take_word("ANY") {
                self.any = true;
            } else if args.take_word("ASC") {
                self.sort = Some(Direction::Forward);
            } else if args.take_word("DESC") {
                self.sort = Some(Direction::Backward);
            } else if args.left() > 1 && args.take_word("COUNT") {
                let count = args.integer()?;
                let count = usize::try_from(count).ok().filter(|&count| count > 0);
                self.count = count.ok_or(CommandError::err("COUNT must be > 0"))?;
            } else if form == Form::Radius && args.left() > 1 && args.take_word("STORE") {
                (self.store, self.store_dist) = (args.next(), false);
            } else if form == Form::Radius && args.left() > 1 && args.take_word("STOREDIST") {
                (self.store, self.store_dist) = (args.next(), true);
            } else if form == Form::SearchStore && args.take_word("STOREDIST") {
                self.store_dist = true;
            } else if is_search && self.from.is_none() && args.left() > 1 && args.take_word("FROMMEMBER") {
                self.from = Some(member_place(zset, args.required()?)?);
            } else if is_search && self.from.is_none() && args.left() > 2 && args.take_word("FROMLONLAT") {
                self.from = Some(Origin::Point(parse_point(args.required()?, args.required()?)?));
            } else if is_search && self.shape.is_none() && args.left() > 2 && args.take_word("BYRADIUS") {
                self.set_shape(parse_circle(&mut args)?);
            } else if is_search && self.shape.is_none() && args.left() > 3 && args.take_word("BYBOX") {
                self.set_shape(parse_box(&mut args)?);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        if self.store.is_some() && (self.with_dist || self.with_hash || self.with_coord) {
            let what = if form == Form::Radius { "STORE option in GEORADIUS" } else { "GEOSEARCHSTORE" };
            let text = format!("{what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options");
            return Err(CommandError::err(text));
        }
        let name = String::from_utf8_lossy(name);
        if self.from.is_none() {
            let text = format!("exactly one of FROMMEMBER or FROMLONLAT can be specified for {name}");
            return Err(CommandError::err(text));
        }
        if self.shape.is_none() {
            let text = format!("exactly one of BYRADIUS and BYBOX can be specified for {name}");
            return Err(CommandError::err(text));
        }
        if self.any && self.count == 0 {
            return Err(CommandError::err("the ANY argument requires COUNT argument"));
        }
        // The nearest ones are wanted, unless any will do.
        if self.count > 0 && !self.any {
            self.sort = self.sort.or(Some(Direction::Forward));
        }
        Ok(())
    }

    fn set_shape(&mut self, (shape, unit): (Shape, f64)) {
        (self.shape, self.unit) = (Some(shape), unit);
    }

    /// The places within, in the order asked for.
    fn run(&self, zset: ZsetRef<'_>) -> Vec<Found> {
        let (Some(Origin::Point(centre) | Origin::Member(centre)), Some(shape)) = (self.from, self.shape) else {
            return Vec::new();
        };
        let limit = if self.any { self.count } else { usize::MAX };
        let mut found = Vec::new();
        let mut digits = itoa::Buffer::new();
        for scores in shape.score_ranges(centre) {
            let ranks = zset.score_range(Bound::Included(scores.start as f64), Bound::Excluded(scores.end as f64));
            for (member, score) in zset.range(ranks, Direction::Forward) {
                if found.len() >= limit {
                    break;
                }
                let point = Point::from_score(score);
                if let Some(distance) = shape.distance_within(centre, point) {
                    let member = member.as_bytes(&mut digits).to_vec();
                    found.push(Found { member, score, point, distance: distance / self.unit });
                }
            }
        }
        if let Some(direction) = self.sort {
            let order = |a: &Found, b: &Found| match direction {
                Direction::Forward => a.distance.total_cmp(&b.distance),
                Direction::Backward => b.distance.total_cmp(&a.distance),
            };
            // In what order equally distant places come, and which of them do, is as in Redis.
            match self.count {
                1.. if self.count < found.len() => sort_range(&mut found, 0..self.count, order),
                _ => found.sort_by(order),
            }
        }
        if self.count > 0 {
            found.truncate(self.count);
        }
        found
    }

    fn reply(&self, cx: &mut DataContext<'_>, found: &[Found]) {
        let parts = 1 + [self.with_dist, self.with_hash, self.with_coord].into_iter().filter(|&with| with).count();
        cx.reply.array(found.len());
        for place in found {
            if parts > 1 {
                cx.reply.array(parts);
            }
            cx.reply.bulk(&place.member);
            if self.with_dist {
                reply_distance(cx, place.distance);
            }
            if self.with_hash {
                cx.reply.int(place.score as i64);
            }
            if self.with_coord {
                reply_point(cx, place.point);
            }
        }
    }
}

/// Runs a search that was parsed, and shows or stores what it found.
fn finish(cx: &mut DataContext<'_>, search: &Search<'_>, key: &[u8], event: &'static str) -> CommandResult {
    let found = lookup(&mut cx.db, key)?.map(|zset| search.run(zset)).unwrap_or_default();
    let Some(destination) = search.store else {
        search.reply(cx, &found);
        return Ok(Outcome::Done);
    };
    let score = |place: &Found| if search.store_dist { place.distance } else { place.score };
    let mut members: Vec<(f64, &[u8])> = found.iter().map(|place| (score(place), place.member.as_slice())).collect();
    members.sort_unstable_by(|a, b| compare(*a, *b));
    store_sorted(cx, destination, &members, event);
    cx.reply.int(members.len() as i64);
    Ok(Outcome::Done)
}

fn radius(cx: &mut DataContext<'_>, form: Form, is_by_member: bool) -> CommandResult {
    let (argv, key) = (cx.argv, cx.argv[1]);
    let zset = lookup(&mut cx.db, key)?;
    let mut search = Search::new();
    search.from = Some(match is_by_member {
        true => member_place(zset, argv[2])?,
        false => Origin::Point(parse_point(argv[2], argv[3])?),
    });
    let radius_at = if is_by_member { 3 } else { 4 };
    let mut args = Args::new(argv, radius_at);
    // Around a member of nothing any radius will do.
    let is_nowhere = matches!(search.from, Some(Origin::Nowhere));
    search.set_shape(if is_nowhere { (Shape::Circle(0.0), 1.0) } else { parse_circle(&mut args)? });
    search.parse(Args::new(argv, radius_at + 2), zset, form, argv[0])?;
    finish(cx, &search, key, "georadiusstore")
}

fn georadius(cx: &mut DataContext<'_>) -> CommandResult {
    radius(cx, Form::Radius, false)
}

fn georadius_ro(cx: &mut DataContext<'_>) -> CommandResult {
    radius(cx, Form::RadiusReadOnly, false)
}

fn georadiusbymember(cx: &mut DataContext<'_>) -> CommandResult {
    radius(cx, Form::Radius, true)
}

fn georadiusbymember_ro(cx: &mut DataContext<'_>) -> CommandResult {
    radius(cx, Form::RadiusReadOnly, true)
}

fn geosearch(cx: &mut DataContext<'_>) -> CommandResult {
    let (argv, key) = (cx.argv, cx.argv[1]);
    let zset = lookup(&mut cx.db, key)?;
    let mut search = Search::new();
    search.parse(Args::new(argv, 2), zset, Form::Search, argv[0])?;
    finish(cx, &search, key, "geosearchstore")
}

fn geosearchstore(cx: &mut DataContext<'_>) -> CommandResult {
    let (argv, key) = (cx.argv, cx.argv[2]);
    let zset = lookup(&mut cx.db, key)?;
    let mut search = Search::new();
    search.store = Some(argv[1]);
    search.parse(Args::new(argv, 3), zset, Form::SearchStore, argv[0])?;
    finish(cx, &search, key, "geosearchstore")
}
