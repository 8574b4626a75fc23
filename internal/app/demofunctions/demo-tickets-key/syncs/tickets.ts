export { default } from '../../demo-tickets/syncs/tickets';
