mod entries;
mod groups;
mod kept;
mod newer;
