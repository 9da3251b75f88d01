//! The project's location tree as Procore lists it.

use std::collections::HashMap;

use crate::domain::ids::LocationId;
use crate::domain::place::Location;

/// The locations of one project, found by id, by path and by parent.
#[derive(Debug, Clone, Default)]
pub struct LocationTree {
    locations: Vec<Location>,
    by_id: HashMap<LocationId, usize>,
    by_path: HashMap<String, Vec<usize>>,
    children: HashMap<String, Vec<usize>>,
}

impl LocationTree {
    /// A tree of `locations`, in any order. Nodes without names are left out; of several with one
    /// id the last counts.
    pub fn new(locations: Vec<Location>) -> Self {
        let by_last: HashMap<LocationId, Location> =
            locations.into_iter().filter(|node| !node.path.is_empty()).map(|node| (node.id, node)).collect();
        let mut tree = Self { locations: by_last.into_values().collect(), ..Self::default() };
        tree.locations.sort_by(|a, b| a.path.cmp(&b.path).then(a.id.cmp(&b.id)));
        for (index, node) in tree.locations.iter().enumerate() {
            let parents = &node.path[..node.path.len() - 1];
            tree.by_id.insert(node.id, index);
            tree.by_path.entry(key(&node.path)).or_default().push(index);
            tree.children.entry(key(parents)).or_default().push(index);
        }
        tree
    }

    /// A tree from text: a path on each line, e.g. `Building A>Floor 2`; empty lines and those that begin with `#` are
    /// left out. The ids are the lines' numbers.
    pub fn from_lines(text: &str) -> Self {
        let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim_start().starts_with('#'));
        Self::new(lines.map(|(number, line)| Location::from_name(LocationId::new(number), line)).collect())
    }

    /// This tree with `paths` that it lacks. They have ids that Procore never gives, see [`Location::is_missing`], and
    /// must be made there before anything can refer to them.
    #[must_use]
    pub fn with_missing(&self, paths: &[Vec<String>]) -> Self {
        let missing =
            (1..).zip(paths).map(|(n, path)| Location { id: LocationId::new(-n), path: path.clone() });
        Self::new(self.locations.iter().cloned().chain(missing).collect())
    }

    /// All nodes, ordered by path.
    pub fn locations(&self) -> &[Location] {
        &self.locations
    }

    /// Whether the project has no locations.
    pub const fn is_empty(&self) -> bool {
        self.locations.is_empty()
    }

    /// The node that Procore calls `id`.
    pub fn by_id(&self, id: LocationId) -> Option<&Location> {
        self.by_id.get(&id).map(|&index| &self.locations[index])
    }

    /// The one node at `path`; letter case and extra spaces do not matter. `None` where there is
    /// none, or where two differ by nothing else.
    pub fn by_path(&self, path: &[String]) -> Option<&Location> {
        match self.by_path.get(&key(path)).map(Vec::as_slice) {
            Some(&[index]) => Some(&self.locations[index]),
            _ => None,
        }
    }

    /// The one node that `name` spells, e.g. `building a > Floor 2`.
    pub fn by_name(&self, name: &str) -> Option<&Location> {
        self.by_path(&parse_path(name))
    }

    /// The nodes right below `path`; below the empty path are the roots.
    pub fn children(&self, path: &[String]) -> impl Iterator<Item = &Location> {
        let indices = self.children.get(&key(path)).map_or(&[][..], Vec::as_slice);
        indices.iter().map(|&index| &self.locations[index])
    }

    /// The deepest node that holds all of `nodes`, or is the only one of them.
    pub fn common<'a>(&'a self, nodes: &[&'a Location]) -> Option<&'a Location> {
        let (first, rest) = nodes.split_first()?;
        let shared = rest.iter().fold(first.path.len(), |shared, node| {
            let same = first.path.iter().zip(&node.path).take_while(|(a, b)| fold(a) == fold(b));
            shared.min(same.count())
        });
        (1..=shared).rev().find_map(|length| self.by_path(&first.path[..length]))
    }

    /// The node whose path looks most like `path`, for a message about a misspelt one.
    pub fn nearest(&self, path: &[String]) -> Option<&Location> {
        const ALIKE: f64 = 0.8;
        let wanted = key(path);
        let likeness = |node: &Location| strsim::jaro_winkler(&key(&node.path), &wanted);
        let alike = self.locations.iter().map(|node| (likeness(node), node));
        let (best, node) = alike.max_by(|a, b| a.0.total_cmp(&b.0))?;
        (best >= ALIKE).then_some(node)
    }
}

/// Names from the root down: `Building A > Floor 2` gives `["Building A", "Floor 2"]`.
pub fn parse_path(name: &str) -> Vec<String> {
    name.split('>')
        .map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|part| !part.is_empty())
        .collect()
}

/// Whether `inner` is `outer` or lies below it.
pub fn is_within(inner: &[String], outer: &[String]) -> bool {
    inner.len() >= outer.len() && inner.iter().zip(outer).all(|(a, b)| fold(a) == fold(b))
}

/// A name without what people vary: letter case and spaces.
pub fn fold(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// A path as one comparable text.
pub fn key(path: &[String]) -> String {
    path.iter().map(|name| fold(name)).collect::<Vec<_>>().join(">")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> LocationTree {
        let names = [
            "Building A",
            "Building A>Floor 2",
            "Building A>Floor 2>Unit 204",
            "Building A>Floor 2>Unit 205",
            "Building B",
            "Roof",
            "roof ",
        ];
        let nodes = (1..).zip(names).map(|(id, name)| Location::from_name(LocationId::new(id), name));
        LocationTree::new(nodes.collect())
    }

    #[test]
    fn nodes_are_found_however_people_space_and_case_them() {
        let tree = tree();
        let found = |name: &str| tree.by_name(name).map(|node| node.id.value());
        assert_eq!(found("Building A>Floor 2>Unit 204"), Some(3));
        assert_eq!(found(" building a >floor  2> UNIT 204 "), Some(3));
        assert_eq!(found("Building A>Unit 204"), None);
        assert_eq!(found(""), None);
        assert_eq!(found("Roof"), None, "two nodes differ by case alone: neither is meant for sure");
        assert_eq!(tree.by_id(LocationId::new(5)).map(Location::words), Some("Building B".into()));
    }

    #[test]
    fn trees_are_read_from_lines() {
        let tree = LocationTree::from_lines("# ours\nBuilding A\n\n Building A > Floor 2 \n");
        assert_eq!(tree.locations().len(), 2);
        assert_eq!(tree.by_name("Building A>Floor 2").map(|node| node.id.value()), Some(4));
    }

    #[test]
    fn missing_nodes_are_found_and_told_apart() {
        let path = parse_path("Building B>Floor 1");
        let wished = tree().with_missing(std::slice::from_ref(&path));
        assert!(wished.by_path(&path).is_some_and(Location::is_missing));
        assert!(wished.by_name("Building B").is_some_and(|node| !node.is_missing()));
        assert_eq!(wished.locations().len(), tree().locations().len() + 1);
    }

    #[test]
    fn kinship_is_read_from_paths() {
        let tree = tree();
        let below = |name: &str| tree.children(&parse_path(name)).count();
        assert_eq!((below("Building A"), below("Building A>Floor 2"), below("Roof")), (1, 2, 0));
        let get = |name: &str| tree.by_name(name).expect(name);
        let (a, b) = (get("Building A>Floor 2>Unit 204"), get("Building A>Floor 2>Unit 205"));
        assert_eq!(tree.common(&[a, b]).map(|node| node.id.value()), Some(2));
        assert_eq!(tree.common(&[a]).map(|node| node.id), Some(a.id));
        assert_eq!(tree.common(&[a, get("Building B")]), None);
        assert_eq!(tree.common(&[]), None);
    }

    #[test]
    fn a_misspelt_path_has_a_nearest_one() {
        let nearest = |name: &str| tree().nearest(&parse_path(name)).map(Location::words);
        assert_eq!(nearest("Building A>Flor 2>Unit 204"), Some("Building A, Floor 2, Unit 204".into()));
        assert_eq!(nearest("xyz"), None);
    }
}
