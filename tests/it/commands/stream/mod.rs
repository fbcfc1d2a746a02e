mod entries;
mod groups;
mod newer;
